// What lies under the map's symbols: the same tiles in the same style, by WebGL where the browser has it, else on canvas.

import { get } from "./api.js";
import { at, h } from "./dom.js";
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

/** @typedef {import("./vector.js").Vector | import("./light.js").Light} Painter */

/** Draws by WebGL 2 as long as that works; the page need not know by which way. */
export class Backdrop {
  /**
   * @param {L.Map} map
   * @param {{onError: (error: Error) => void, onDrawn: () => void}} told
   */
  constructor(map, { onError, onDrawn }) {
    this.map = map;
    this.onError = onError;
    this.onDrawn = onDrawn;
    this.look = {};
    this.isLost = false;
    /** @type {Painter | null} */
    this.painter = null;
    /** @type {{scheme: Shape<"Scheme">, description: any} | null} */
    this.grids = null;
    /** @type {{figures: Figures | null, shades: string[]}} */
    this.colours = { figures: null, shades: [] };
    this.opening = this.start().catch(onError);
  }

  async start() {
    // A link may ask for either way.
    const asked = new URLSearchParams(location.search).get("draw");
    const isLight = asked === "light";
    const description = get("/api/tiles/ground.json");
    description.catch(() => null); // told where it is waited for
    // The library is on its way while the graphics wake up, unless they were missing last time.
    const library = isLight || wasRefused() ? null : import("./vector.js");
    library?.catch(() => null); // where it is not needed it may fail
    const kind = isLight ? "" : graphics();
    // MapLibre by the processor takes a multiple of what canvas takes (docs/decisions/0023).
    const isSlow = kind === "software" && asked !== "vector";
    if (!isLight) keepRefused(!kind || isSlow);
    const ground = await description;
    if (!kind || isSlow) {
      await this.goLight(isLight ? "light_wished" : isSlow ? "light_software" : "light_no_webgl", ground);
      return;
    }
    try {
      const { Vector } = await (library ?? import("./vector.js"));
      const { onError, onDrawn } = this;
      this.take(new Vector(this.map, { kind, ground, onLost: () => this.lose(ground), onError, onDrawn }));
    } catch {
      await this.goLight("light_no_webgl", ground);
    }
  }

  /**
   * Let this one draw from now on.
   *
   * @param {Painter} painter
   */
  take(painter) {
    this.painter = painter;
    painter.set(this.look);
    painter.showFigures(this.colours.figures, this.colours.shades);
    if (this.grids) painter.showGrids(this.grids.scheme, this.grids.description);
  }

  /**
   * The graphics were taken away while the page stood: go on with canvas.
   *
   * @param {any} ground
   */
  lose(ground) {
    if (this.isLost) return;
    this.isLost = true;
    const gone = this.painter;
    this.goLight("light_lost", ground)
      .then(() => gone?.remove())
      .catch(this.onError);
  }

  /**
   * @param {string} why
   * @param {any} ground
   */
  async goLight(why, ground) {
    const { Light } = await import("./light.js");
    this.take(new Light(this.map, { ground, onError: this.onError, onDrawn: this.onDrawn }));
    at("drawn").replaceChildren(
      h("span", { title: t(why) }, t("light_map"), h("span", { class: "unseen" }, ` ${t(why)}`)),
    );
  }

  /** @param {Record<string, boolean>} changes */
  set(changes) {
    Object.assign(this.look, changes);
    this.painter?.set(changes);
  }

  /** Draw buildings anew, of which one was entered, moved or taken out. */
  async forgetBuildings() {
    this.painter?.readGround(await get("/api/tiles/ground.json"));
  }

  recolour() {
    this.painter?.recolour();
  }

  /**
   * Draw the grids of a scheme.
   *
   * @param {Shape<"Scheme">} scheme
   * @param {string} day
   */
  async showGrids(scheme, day) {
    const rank = Math.max(...scheme.levels.map((level) => level.rank));
    const description = await get("/api/tiles/county.json", { scheme: scheme.code, rank, at: day });
    this.grids = { scheme, description };
    await this.opening;
    await this.painter?.showGrids(scheme, description);
  }

  /**
   * @param {Figures | null} figures
   * @param {string[]} shades
   */
  showFigures(figures, shades) {
    this.colours = { figures, shades };
    this.painter?.showFigures(figures, shades);
  }

  /**
   * @param {L.LatLng} place
   * @returns {number | null}
   */
  gridAt(place) {
    return this.painter?.gridAt(place) ?? null;
  }

  /** The streets with a name that are drawn now, in pieces. */
  streets() {
    return this.painter?.streets() ?? [];
  }

  /** Resolve once all that is in view is drawn. */
  async drawn() {
    await this.opening;
    await this.painter?.drawn();
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
