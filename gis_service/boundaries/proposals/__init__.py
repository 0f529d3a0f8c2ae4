"""Answers to "draw these grids anew": atoms of land shared out to districts. Pure.

- ``blocks``: land in atoms, cut along streets; ``between_buildings``: where nothing else parts it
- ``graph``: atoms with their households, and what a border between two costs
- ``search``: from scratch, or on from today's answer
- ``annealing``, ``moves``, ``trees``: its loops, compiled
- ``graph_file``: graphs from a file
- ``compiling``: compiles the loops before the first question
"""
