"""Sheets for paper.

- ``sheet``, ``grid_sheet``, ``layout``: what a grid's sheet tells, its document, where parts stand
- ``drawing``, ``grid_drawing``, ``legend_samples``: maps as SVG
- ``printing``: PDF and PNG
- ``queries``: what a sheet reads
"""
