"""Bands of minutes and districts of stations, drawn.

- ``service``: asks for the county's bands and districts as they are today, keeps them ready
- ``street_cells``: the ground around the streets, and what is drawn of it
- ``station_reach``, ``bands``: when stations are where; the bands of many stations
- ``districts``: whose station is nearest
- ``shapes``: rings as valid polygons, without what nobody would see
- ``cell_kernels``, ``outline_kernels``, ``ring_kernels``: the compiled loops beneath
- ``answers``, ``cache``, ``queries``: the same as sent, as kept on disk, and what is read for it
"""
