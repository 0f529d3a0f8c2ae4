"""Grids: whose land a point lies on, which version of the boundaries says so, and the record."""
