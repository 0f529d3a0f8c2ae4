// Leaflet as a module, for libraries that import it: the one that Folium has loaded.

export default globalThis.L;
