"""A map service for 网格化管理: whose grid, who gets there first, who is left out."""

__version__ = "0.1.0"
