"""Lines and faces, exact. Pure.

- ``tessellation``: arcs, and the faces that they bound
- ``noding``: lines put into one another at their crossings, on the lattice
- ``lines``, ``chains``, ``snapping``: a planner's stroke, borders along streets, snap targets
- ``atoms``: blocks between streets, the pieces that edits hand over
- ``packed_shapes``: many geometries in one buffer
- ``far_parts``: land too far apart to be measured in one plane
"""
