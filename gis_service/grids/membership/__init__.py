"""Which object belongs to which grid from when to when, as the store keeps it.

- ``queries``: objects, their cohorts and grids
- ``writing``: rows, cohorts, and today's copy; what is to be written ``assignment`` says
"""
