"""Figures on the map.

``figures`` counts, ``classes`` makes classes of it, ``measured`` tells coverage.
"""
