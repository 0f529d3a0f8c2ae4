"""Vector tiles.

- ``tile_sets``: which there are, and the state of the data in their address
- ``tiles``: found, kept or cut; ``cutting``: from the tables
- ``shapes``, ``generalise``: grids simplified together, from which tiles are cut
- ``queries``: what is kept in the store
"""
