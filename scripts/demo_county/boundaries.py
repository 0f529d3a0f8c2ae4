"""The demo county's boundaries as they lie in their file: arcs, who is beside them, and the grids.

The file is gzipped GeoJSON: one LineString for each arc with the grids left and right of it in each
version; grids, successors and scheme are foreign members. Degrees, CGCS2000, steps of 1e-7.
"""

import gzip
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import shapely

from scripts.demo_county.geography import Ints

Objects = npt.NDArray[np.object_]
GRID_COLUMNS = (
    "key", "name", "name_en", "rank", "parent", "kind", "urban_rural_class", "code", "admin_code",
    "versions",
)  # fmt: skip


@dataclass(frozen=True)
class Version:
    """One version's linework: positions in ``keys`` left and right of each arc, -1 for outside."""

    keys: tuple[str, ...]
    arcs: Objects
    kinds: npt.NDArray[np.str_]
    left: Ints
    right: Ints
    grids: pd.DataFrame


@dataclass(frozen=True)
class Boundaries:
    """
    Linework of all versions of a scheme.

    ``arcs`` LineStrings in lon, lat; ``kinds`` of each ``street``, ``water`` or ``other``;
    ``sides`` for each version the keys left and right of each arc: None twice where the arc is not
    part of the version, None once for the outside. ``grids`` has :data:`GRID_COLUMNS`.
    """

    arcs: Objects
    kinds: list[str]
    sides: dict[int, tuple[list[str | None], list[str | None]]]
    grids: pd.DataFrame
    successors: list[dict[str, Any]]
    scheme: dict[str, Any]
    county: dict[str, str]

    def version(self, number: int) -> Version:
        """
        Take one version.

        Parameters
        ----------
        number
            1 or 2.

        Returns
        -------
        Version
            Only the arcs and grids of that version; ``keys`` are the base grids in order.
        """
        holds = [number in versions for versions in self.grids["versions"]]
        grids = self.grids[holds].reset_index(drop=True)
        keys = tuple(grids.loc[grids["rank"] == grids["rank"].max(), "key"])
        position: dict[str | None, int] = {key: index for index, key in enumerate(keys)}
        position[None] = -1
        left, right = (np.array([position[k] for k in side]) for side in self.sides[number])
        kept = left != right
        return Version(
            keys,
            self.arcs[kept],
            np.array(self.kinds)[kept],
            left[kept],
            right[kept],
            grids,
        )


def write_boundaries(boundaries: Boundaries, path: Path) -> None:
    """
    Write the file; the same boundaries always give the same bytes.

    Parameters
    ----------
    boundaries
        What to write.
    path
        Usually ends in ``.geojson.gz``.
    """
    features = []
    for index, arc in enumerate(boundaries.arcs):
        properties: dict[str, Any] = {"kind": boundaries.kinds[index]}
        for number, (left, right) in sorted(boundaries.sides.items()):
            beside = [left[index], right[index]]
            properties[f"v{number}"] = None if beside[0] == beside[1] else beside
        line = [[round(x, 7), round(y, 7)] for x, y in shapely.get_coordinates(arc).tolist()]
        features.append(
            {
                "type": "Feature",
                "properties": properties,
                "geometry": {"type": "LineString", "coordinates": line},
            }
        )
    document = {
        "type": "FeatureCollection",
        "features": features,
        "grids": boundaries.grids[list(GRID_COLUMNS)].to_dict("records"),
        "successors": boundaries.successors,
        "scheme": boundaries.scheme,
        "county": boundaries.county,
    }
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    path.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def load_boundaries(path: Path) -> Boundaries:
    """
    Read what :func:`write_boundaries` wrote.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    Boundaries
        Equal to what was written.
    """
    document = json.loads(gzip.decompress(path.read_bytes()))
    features = document["features"]
    arcs = np.empty(len(features), dtype=object)
    arcs[:] = [shapely.LineString(feature["geometry"]["coordinates"]) for feature in features]
    numbers = sorted(
        int(name[1:]) for name in features[0]["properties"] if name[0] == "v" and name[1:].isdigit()
    )
    sides: dict[int, tuple[list[str | None], list[str | None]]] = {}
    for number in numbers:
        beside = [feature["properties"][f"v{number}"] or (None, None) for feature in features]
        sides[number] = [pair[0] for pair in beside], [pair[1] for pair in beside]
    grids = pd.DataFrame(document["grids"], columns=list(GRID_COLUMNS), dtype=object)
    return Boundaries(
        arcs,
        [feature["properties"]["kind"] for feature in features],
        sides,
        grids,
        document["successors"],
        document["scheme"],
        document["county"],
    )
