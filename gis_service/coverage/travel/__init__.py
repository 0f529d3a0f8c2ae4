"""Shortest times over a network. Pure.

- ``travel_time``: minutes from or to the nearest station, for every node and place
- ``routes``: the way between two places, street by street
- ``search_kernels``, ``route_kernels``: the compiled searches under both
"""
