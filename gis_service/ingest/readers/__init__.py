"""Readers of foreign files. They run in a child process only (see ``ingest.sandbox``).

- ``files``: any file, by its kind
- ``table_files``, ``vector_files``, ``gpkg``, ``gpkg_places``, ``graphml``, ``packed``: formats
- ``raw``, ``file_table``, ``frames``: what a reader gives
- ``columns``, ``values``, ``texts``, ``geojson_text``, ``coordinate_texts``: parsing
"""
