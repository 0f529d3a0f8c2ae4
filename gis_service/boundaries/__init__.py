"""Boundaries: the tessellation, and how a new version of it is published."""
