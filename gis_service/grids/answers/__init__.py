"""Whose grid a place is, asked by a person.

- ``answering``: many places at once, from memory
- ``locating``, ``placing``: one place, on any day
- ``directory``, ``people``, ``on_post``: names, parents, officers; who stands in
- ``border_roads``: roads that run along a border
- ``serving``, ``sources``: the indexes that a process keeps, and those for a file
- ``tallies``: what a grid holds, counted
- ``queries``: what they all read of the store
"""
