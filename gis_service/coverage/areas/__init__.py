"""Bands of minutes and districts of stations, drawn.

- ``service``: asks for the county's bands and districts as they are today, keeps them ready
- ``service_area``, ``kernels``: land reached within so many minutes, as polygons
- ``districts``: whose station is nearest
- ``answers``, ``cache``: the same as sent, and as kept on disk
"""
