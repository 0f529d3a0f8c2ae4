"""How boundaries come into force, and how they are read.

- ``publishing``: the difference between the newest version and the wanted one, written
- ``reading``: the boundaries of a version
- ``schemes``, ``duties``: schemes with their levels; duties that follow a grid
- ``grid_table``: a table of grids becomes a version
"""
