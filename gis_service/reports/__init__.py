"""Reports: what is printed and handed on. The map as one file is in ``maps``; more follows."""
