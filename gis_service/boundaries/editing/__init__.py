"""One plan's change of the tessellation, tried and weighed. Pure.

- ``edits``: give region R to grid G: split, merge, move an edge, hand over
- ``checks``: the rules of a good grid, and what breaks them
- ``balance``: what each grid carries
- ``handing_over``: whole buildings on one side
- ``redrawing``: many grids at once, each given its region; ``grid_names``: what new ones are called
- ``rules``: the numbers, from ``rules.toml``
"""
