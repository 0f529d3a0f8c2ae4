// Maps of others under our own: chosen among the layers, always by way of our own server.

import { at, h } from "./dom.js";
import { show, state } from "./state.js";
import { config, t } from "./texts.js";

const FAILURES = 3;

const nameOf = (one) => one.name || t(`base_${one.key}`);

/** Load a classic script once. */
function script(address) {
  return new Promise((resolve, reject) => {
    const element = h("script", { src: address });
    element.addEventListener("load", resolve);
    element.addEventListener("error", () => reject(new Error(t("base_failed"))));
    document.head.append(element);
  });
}

/** A layer of pictures out of a PMTiles archive, drawn on canvas. */
async function archiveLayer(one, options) {
  await script(config.late_files["pmtiles.js"]);
  const archive = new globalThis.pmtiles.PMTiles(new URL(one.archive, location.href).href);
  const Pictures = L.GridLayer.extend({
    createTile({ x, y, z }, done) {
      const tile = document.createElement("canvas");
      tile.width = tile.height = 256;
      archive.getZxy(z, x, y).then(
        async (found) => {
          if (found) tile.getContext("2d").drawImage(await createImageBitmap(new Blob([found.data])), 0, 0, 256, 256);
          done(null, tile);
        },
        (error) => done(error, tile),
      );
      return tile;
    },
  });
  return new Pictures(options);
}

export class BaseMaps {
  constructor(map, control, { onChange, onError }) {
    this.map = map;
    this.onChange = onChange;
    this.onError = onError;
    this.layers = [];
    if (config.base_maps.length) this.offer(control);
    this.apply();
  }

  offer(control) {
    const radio = (key, name) =>
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
      config.base_maps.map((one) => radio(one.key, nameOf(one))),
    );
    control.append(this.choice);
  }

  /** Show the base map that the address names; the own background where it names none. */
  async apply() {
    const wanted = config.base_maps.find((one) => one.key === state.base);
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
        ? [await archiveLayer(wanted, options)]
        : wanted.tiles.map((address) => L.tileLayer(address, options));
      if (this.shown !== wanted) return;
      this.layers = layers.map((layer) => this.watch(layer).addTo(this.map));
    } catch (error) {
      this.giveUp(error.message);
    }
  }

  /** Go back to the own background where nothing arrives. */
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

  giveUp(message) {
    show({ base: "" });
    this.onError(new Error(message));
  }
}
