// What the map as one file does by itself: theme, names and houses. Names in capitals are filled in.
addEventListener("load", () => {
  const map = __MAP__, grids = __GRIDS__, colours = __COLOURS__, paper = __PAPER__;
  const sections = [...document.querySelectorAll(".gis-note section")];

  const paint = (name) => {
    const theme = sections.findIndex((one) => one.dataset.name === name.trim());
    sections.forEach((one, place) => (one.hidden = place !== theme));
    grids.eachLayer((layer) => {
      const [place, said] = layer.feature.properties.said[theme];
      layer.feature.properties.value = said;
      layer.setStyle({ fillColor: colours[theme][place] ?? paper });
    });
  };
  map.on("baselayerchange", (change) => paint(change.name));
  map.on("overlayadd overlayremove", (change) => {
    for (const key of document.querySelectorAll(".gis-key"))
      if (key.dataset.name === change.name.trim()) key.hidden = change.type === "overlayremove";
  });

  const near = () => map.getContainer().classList.toggle("gis-near", map.getZoom() >= __NEAR__);
  map.on("zoomend", near);
  near();

  // Houses: unpacked once, sorted into cells, drawn on the tiles that show them.
  const bytes = Uint8Array.from(atob(__PACKED__), (sign) => sign.charCodeAt(0));
  const step = __STEP__, cell = 0.01, cells = new Map();
  let at = 0, lon = 0, lat = 0;
  const number = () => {
    let value = 0, weight = 1;
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * weight;
      if (byte < 128) return value;
      weight *= 128;
    }
  };
  const signed = () => {
    const value = number();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  };
  while (at < bytes.length) {
    const house = [];
    for (let left = number(); left > 0; left--) {
      lon += signed();
      lat += signed();
      house.push([lat * step, lon * step]);
    }
    const key = `${Math.floor(house[0][0] / cell)} ${Math.floor(house[0][1] / cell)}`;
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(house);
  }
  const Houses = L.GridLayer.extend({
    createTile(coords) {
      const tile = L.DomUtil.create("canvas", "leaflet-tile"), size = this.getTileSize();
      if (coords.z < __FROM_ZOOM__) return tile;
      tile.width = size.x;
      tile.height = size.y;
      const pen = tile.getContext("2d"), bounds = this._tileCoordsToBounds(coords).pad(0.1);
      const corner = coords.scaleBy(size);
      pen.fillStyle = "#ddd5c6";
      pen.strokeStyle = "#c3b8a2";
      for (let y = Math.floor(bounds.getSouth() / cell); y * cell <= bounds.getNorth(); y++)
        for (let x = Math.floor(bounds.getWest() / cell); x * cell <= bounds.getEast(); x++)
          for (const house of cells.get(`${y} ${x}`) ?? []) {
            pen.beginPath();
            for (const place of house) {
              const spot = map.project(place, coords.z).subtract(corner);
              pen.lineTo(spot.x, spot.y);
            }
            pen.closePath();
            pen.fill();
            pen.stroke();
          }
      return tile;
    },
  });
  // No minZoom: the map would take it for its own.
  __HOUSES__.addLayer(new Houses({ maxZoom: 19, pane: "overlayPane", zIndex: 500 }));
});
