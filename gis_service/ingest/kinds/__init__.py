"""The kinds of file that an import takes.

- ``kind``, ``options``: what a kind is, and the options of each
- ``objects``, ``postings``: records with a key, and without
- ``grids_file``, ``units_file``, ``roads_file``: boundaries, units, roads
- ``grid_rows``, ``grid_check``, ``off_lines``, ``road_noding``, ``shifted``: checks of their own
- ``matching``: a file's columns and our fields
- ``gpkg_assign``: places of a GeoPackage
- ``queries``: all statements of this wing
"""
