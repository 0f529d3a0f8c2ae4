"""OpenStreetMap extracts.

- ``reading``: a region from a file
- ``scan``, ``extent``: the file read once; which part of it is whole
- ``roads``, ``turns``, ``units``: what is made of it
- ``tags``: what the tags mean
"""
