"""Finding a place by its name: villages, roads, house numbers, premises, grids, officers."""
