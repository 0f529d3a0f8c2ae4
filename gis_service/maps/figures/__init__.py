"""Figures on the map.

``figures`` counts, ``classes`` makes classes of it, ``coverage_figures`` tells coverage.
"""
