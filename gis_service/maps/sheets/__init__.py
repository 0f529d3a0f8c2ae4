"""Sheets for paper.

- ``sheet``, ``grid_sheet``: what a grid's sheet tells, and its document
- ``drawing``, ``grid_drawing``, ``legend_samples``: maps as SVG
- ``printing``: PDF and PNG
"""
