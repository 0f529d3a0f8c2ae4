"""A whole file of places, each row with its grid behind it. Pure.

- ``files``: a file in, the same file with its grids out
- ``rows``: a block of rows and its answers
- ``csv_files``, ``csv_blocks``: CSV, as rows and as compiled blocks
- ``feature_files``: GeoJSON
"""
