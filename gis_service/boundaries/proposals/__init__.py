"""Answers to "draw these grids anew": atoms of land shared out to districts. Pure.

- ``blocks``: land in atoms, cut along streets; ``between_buildings``: where nothing else parts it
- ``task``: what is to be put right, and an answer to it
- ``least_change``, ``answers``: misfits put right, then the other answers
- ``bounds``, ``costs``: what no answer can better or meet, and what each costs
- ``graph``: atoms with their households, and what a border between two costs
- ``search``: from scratch, or on from today's answer
- ``annealing``, ``moves``, ``trees``: its loops, compiled
- ``graph_file``: graphs from a file
- ``compiling``: compiles the loops before the first question
"""
