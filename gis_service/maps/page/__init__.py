"""The map's page.

- ``grid_map``, ``cartography``, ``vendor``: the document that Folium makes, looks, libraries
- ``layers``, ``area_layers``, ``base_maps``: what lies on it
- ``one_file``: the map as one file to take along
- ``answer_cache``: figures counted before
- ``queries``: what all of them read
"""
