"""Roads as arrays, and places on them. Pure.

- ``graph``: the road network, and the same as a profile may use it
- ``snapping``: the nearest street of a place
- ``places``: those who stand at one place, gathered
- ``turns``: turns that are forbidden
- ``changed_roads``: the network with a road closed, drawn or made one-way
"""
