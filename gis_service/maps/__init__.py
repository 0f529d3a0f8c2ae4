"""The 网格地图: the document that Folium makes, and the layers it shows."""
