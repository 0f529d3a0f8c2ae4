"""How boundaries come into force, and how they are read.

- ``publishing``: the difference between the newest version and the wanted one, written
- ``queries``, ``writing``: what it reads of the store and what it writes there
- ``grid_table``: a table of grids becomes a version
"""
