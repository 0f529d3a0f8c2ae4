"""The demo county as a whole: from the boundaries in their file to every frame of the county.

The same boundaries and the same seed always give the same county.
"""

import numpy as np
import pandas as pd
import shapely

from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.ingest.readers.frames import CountyFrames
from scripts.demo_county.boundaries import Boundaries
from scripts.demo_county.people import make_people_side
from scripts.demo_county.roads import make_land_cover, make_roads

SEED = 20_241_122
TODAY = 2
"""The version in force today."""


def make_county(boundaries: Boundaries, seed: int = SEED) -> CountyFrames:
    """
    Make everything that stands within the boundaries.

    Parameters
    ----------
    boundaries
        Of the base scheme.
    seed
        Of all chance.

    Returns
    -------
    CountyFrames
        Every frame; duties name grids by the boundaries' keys.
    """
    chance = np.random.default_rng([seed, 100])
    nodes, edges = make_roads(boundaries, chance)
    land_cover = make_land_cover(edges, chance)
    water = land_cover.loc[land_cover["kind"] == "water", "geometry"].to_numpy()
    frames = make_people_side(
        base_faces(boundaries),
        boundaries.grids,
        nodes,
        edges,
        shapely.union_all(water),
        seed,
    )
    frames.land_cover = land_cover
    return frames


def base_faces(boundaries: Boundaries) -> pd.DataFrame:
    """
    Take the base grids of today with their land.

    Parameters
    ----------
    boundaries
        Of the base scheme.

    Returns
    -------
    pandas.DataFrame
        key, name, parent, town, kind, urban, geometry.
    """
    version = boundaries.version(TODAY)
    land = Tessellation(
        version.keys, version.arcs, version.kinds, version.left, version.right
    ).faces()
    grids = version.grids.set_index("key")
    base = grids.loc[list(version.keys)]
    return pd.DataFrame(
        {
            "key": list(version.keys),
            "name": base["name"].to_numpy(),
            "parent": base["parent"].to_numpy(),
            "town": grids.loc[base["parent"], "parent"].to_numpy(),
            "kind": base["kind"].to_numpy(),
            "urban": [
                str(one).startswith("11") or str(one) == "121" for one in base["urban_rural_class"]
            ],
            "geometry": land,
        }
    )
