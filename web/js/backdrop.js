// What lies under the map's symbols: by WebGL where the browser has it, else the light layers.

import { get } from "./api.js";
import { at, h } from "./dom.js";
import { Ground } from "./ground.js";
import { t } from "./texts.js";

/** @import { Shape } from "../types/answers.js" */
/** @import { Figures } from "../types/page.js" */

const REFUSED = "gis-no-webgl";
const SOFTWARE = /swiftshader|llvmpipe|softpipe|basic render/i;

/** What draws WebGL 2 here: "hardware", "software", or "" where nothing does. */
function graphics() {
  const context = document.createElement("canvas").getContext("webgl2", { antialias: false });
  if (!context) return "";
  const about = context.getExtension("WEBGL_debug_renderer_info");
  const name = about ? context.getParameter(about.UNMASKED_RENDERER_WEBGL) : "";
  context.getExtension("WEBGL_lose_context")?.loseContext();
  return SOFTWARE.test(name) ? "software" : "hardware";
}

/** Whether WebGL 2 was missing last time; a browser that keeps nothing for us never says so. */
function wasRefused() {
  try {
    return localStorage.getItem(REFUSED) !== null;
  } catch {
    return false;
  }
}

/**
 * Keep for the next time whether it is missing.
 *
 * @param {boolean} isMissing
 */
function keepRefused(isMissing) {
  try {
    if (isMissing) localStorage.setItem(REFUSED, "1");
    else localStorage.removeItem(REFUSED);
  } catch {
    // Storage is switched off: next time the library is fetched before we know.
  }
}

/** Draws by WebGL 2 as long as that works; the page need not know by which way. */
export class Backdrop {
  /**
   * @param {L.Map} map
   * @param {{onError: (error: Error) => void, onLight: () => void}} told
   */
  constructor(map, { onError, onLight }) {
    this.map = map;
    this.onError = onError;
    this.onLight = onLight;
    this.wishes = {};
    this.vector = null;
    this.light = null;
    this.opening = this.start();
  }

  /** Whether grids are drawn from vector tiles, and so need no geometry of their own. */
  get isVector() {
    return !this.light;
  }

  start() {
    // A link may ask for either way.
    const wish = new URLSearchParams(location.search).get("draw");
    const isWished = wish === "light";
    // The library is on its way while the graphics wake up, unless they were missing last time.
    const library = isWished || wasRefused() ? null : import("./vector.js");
    const kind = isWished ? "" : graphics();
    // Vector tiles drawn by the processor take twice as long as the light layers, a pan ten times.
    const isSlow = kind === "software" && wish !== "vector";
    if (!isWished) keepRefused(!kind || isSlow);
    if (kind && !isSlow) return this.open(library ?? import("./vector.js"), kind);
    library?.catch(() => null); // not needed, so it may fail
    this.goLight(isWished ? "light_wished" : isSlow ? "light_software" : "light_no_webgl");
    return Promise.resolve();
  }

  /**
   * @param {Promise<typeof import("./vector.js")>} library
   * @param {string} kind
   */
  async open(library, kind) {
    try {
      const { Vector } = await library;
      this.vector = await Vector.open(this.map, { kind, onLost: () => this.lose(), onError: this.onError });
      this.vector.set(this.wishes);
    } catch (error) {
      this.goLight("light_no_webgl");
      if (error.status !== undefined) this.onError(error);
      this.loadLand().catch(this.onError);
      this.onLight();
    }
  }

  /** The graphics were taken away while the page stood: go on with the light layers. */
  lose() {
    if (this.light) return;
    // MapLibre is still in its own handler of the same event.
    setTimeout(() => {
      const gone = this.vector;
      this.goLight("light_lost");
      gone?.remove();
      this.loadLand().catch(this.onError);
      this.onLight();
    });
  }

  /** @param {string} why */
  goLight(why) {
    this.vector = null;
    this.light = new Ground(this.map, this.onError);
    this.light.set(this.wishes);
    at("drawn").replaceChildren(
      h("span", { title: t(why) }, t("light_map"), h("span", { class: "unseen" }, ` ${t(why)}`)),
    );
  }

  async loadLand() {
    await this.light?.loadLand();
  }

  /** @param {Record<string, boolean>} changes */
  set(changes) {
    Object.assign(this.wishes, changes);
    (this.vector ?? this.light)?.set(changes);
  }

  /** Draw buildings anew, of which one was entered, moved or taken out. */
  async forgetBuildings() {
    this.light?.forget("buildings");
    await this.vector?.readGround();
  }

  /**
   * @param {{level: number, line: Float64Array}[]} edges
   * @param {number} ranks
   */
  setEdges(edges, ranks) {
    this.light?.setEdges(edges, ranks);
  }

  recolour() {
    (this.vector ?? this.light)?.recolour();
  }

  /**
   * Draw the grids of a scheme; only where they come from vector tiles.
   *
   * @param {Shape<"Scheme">} scheme
   * @param {string} day
   */
  async showGrids(scheme, day) {
    const rank = Math.max(...scheme.levels.map((level) => level.rank));
    const description = get("/api/tiles/county.json", { scheme: scheme.code, rank, at: day });
    await this.opening;
    await this.vector?.showGrids(scheme, await description);
  }

  /**
   * @param {Figures | null} figures
   * @param {string[]} shades
   */
  showFigures(figures, shades) {
    this.opening.then(() => this.vector?.showFigures(figures, shades));
  }

  /**
   * @param {L.LatLng} place
   * @returns {number | string | null} as the tiles have it
   */
  gridAt(place) {
    return this.vector?.gridAt(place) ?? null;
  }

  /** Resolve once all that is in view is drawn. */
  async drawn() {
    await this.opening;
    await this.vector?.drawn();
  }
}

/**
 * The outline of one grid with every vertex.
 *
 * @param {number | string} id
 * @param {string} day
 * @param {AbortSignal} [signal]
 */
export async function outlineOf(id, day, signal) {
  const { features } = await get(`/api/layers/grids/${id}`, { at: day }, signal);
  return features[0].geometry;
}
