// Maps of others under our own: chosen among the layers, always by way of our own server.

import { at, h } from "./dom.js";
import { show, state } from "./state.js";
import { config, t } from "./texts.js";

const FAILURES = 3;

/** @import { Config } from "../types/page.js" */
/** @typedef {Config["base_maps"][number]} BaseMap */

/** @param {BaseMap} base */
const nameOf = (base) => base.name || t(`base_${base.key}`);

/**
 * Load a classic script once.
 *
 * @param {string} address
 * @returns {Promise<unknown>}
 */
function script(address) {
  return new Promise((resolve, reject) => {
    const element = h("script", { src: address });
    element.addEventListener("load", resolve);
    element.addEventListener("error", () => reject(new Error(t("base_failed"))));
    document.head.append(element);
  });
}

/**
 * A layer of pictures out of a PMTiles archive, drawn on canvas.
 *
 * @param {string} address
 * @param {L.GridLayerOptions} options
 */
async function archiveLayer(address, options) {
  await script(config.late_files["pmtiles.js"]);
  const archive = new /** @type {any} */ (globalThis).pmtiles.PMTiles(new URL(address, location.href).href);
  const Pictures = L.GridLayer.extend({
    createTile(/** @type {L.Coords} */ { x, y, z }, /** @type {L.DoneCallback} */ done) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 256;
      archive.getZxy(z, x, y).then(
        async (/** @type {{data: ArrayBuffer} | undefined} */ picture) => {
          if (picture) {
            const bitmap = await createImageBitmap(new Blob([picture.data]));
            tile.getContext("2d")?.drawImage(bitmap, 0, 0, 256, 256);
          }
          done(undefined, tile);
        },
        (/** @type {Error} */ error) => done(error, tile),
      );
      return tile;
    },
  });
  return new /** @type {any} */ (Pictures)(options);
}

export class BaseMaps {
  /**
   * @param {L.Map} map
   * @param {Element} control that switches layers
   * @param {{onChange: (hasBase: boolean) => void, onError: (error: Error) => void}} parts
   */
  constructor(map, control, { onChange, onError }) {
    this.map = map;
    this.onChange = onChange;
    this.onError = onError;
    /** @type {L.GridLayer[]} */
    this.layers = [];
    /** @type {BaseMap | undefined} */
    this.shown = undefined;
    if (config.base_maps.length) this.offer(control);
    this.apply();
  }

  /** @param {Element} control */
  offer(control) {
    const radio = (/** @type {string} */ key, /** @type {string} */ name) =>
      h(
        "label",
        {},
        h(
          "span",
          {},
          h("input", {
            type: "radio",
            name: "base-map",
            value: key,
            checked: key === state.base,
            onchange: () => show({ base: key }),
          }),
          h("span", {}, name),
        ),
      );
    this.choice = h(
      "fieldset",
      { class: "base-maps" },
      h("legend", {}, t("base_map")),
      radio("", t("base_own")),
      config.base_maps.map((base) => radio(base.key, nameOf(base))),
    );
    control.append(this.choice);
  }

  /** Show the base map that the address names; the own background where it names none. */
  async apply() {
    const wanted = config.base_maps.find(({ key }) => key === state.base);
    if (wanted === this.shown) return;
    this.shown = wanted;
    this.layers.forEach((layer) => layer.remove());
    this.layers = [];
    at("source").textContent = wanted ? t("base_source", { name: wanted.attribution || nameOf(wanted) }) : "";
    for (const input of this.choice?.querySelectorAll("input") ?? [])
      input.checked = input.value === (wanted?.key ?? "");
    this.onChange(Boolean(wanted));
    if (!wanted) return;
    const options = { pane: "base", maxNativeZoom: wanted.max_zoom, maxZoom: 19, updateWhenZooming: false };
    try {
      const layers = wanted.archive
        ? [await archiveLayer(wanted.archive, options)]
        : wanted.tiles.map((address) => L.tileLayer(address, options));
      if (this.shown !== wanted) return;
      this.layers = layers.map((layer) => this.watch(layer).addTo(this.map));
    } catch (error) {
      this.giveUp(error.message);
    }
  }

  /**
   * Go back to the own background where nothing arrives.
   *
   * @param {L.GridLayer} layer
   */
  watch(layer) {
    let failed = 0;
    let arrived = 0;
    layer.on("tileload", () => (arrived += 1));
    layer.on("tileerror", () => {
      failed += 1;
      if (!arrived && failed === FAILURES) this.giveUp(t("base_failed"));
    });
    return layer;
  }

  /** @param {string} message */
  giveUp(message) {
    show({ base: "" });
    this.onError(new Error(message));
  }
}
