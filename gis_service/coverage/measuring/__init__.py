"""From minutes to figures. Pure.

- ``measurement``: every household's minutes and status under a standard
- ``statistics``, ``counting``, ``summary``: figures by grid, and how they are put together
- ``blind_spots``: households left out, as areas
- ``disclosure``: small cells hidden in all that leaves
- ``fingerprints``: digests that say whether an input changed
- ``notes``: what a reader of a run should know of its input
"""
