"""The county that coverage is measured on.

- ``parts``: what a process keeps of it, and on which tables each part stands
- ``reading``: roads, facilities, homes and grids read from the store
"""
