"""One plan's change of the tessellation, tried and weighed. Pure.

- ``edits``: give region R to grid G: split, merge, move an edge, hand over
- ``checks``: the rules of a good grid, and what breaks them
- ``balance``: what each grid carries
- ``partition``: a grid divided into n
- ``handing_over``: whole buildings on one side
- ``rules``: the numbers, from ``rules.toml``
"""
