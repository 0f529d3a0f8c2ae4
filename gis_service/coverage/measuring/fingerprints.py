"""Digests of what a run stands on, part by part, so that a stale run says what has changed.

Arrays in, digests out; nothing here reads the store.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import shapely

from gis_service.coverage.measuring.measurement import Facilities
from gis_service.coverage.measuring.statistics import Hierarchy
from gis_service.coverage.network.graph import RoadNetwork

PARTS: Final = (
    "software",
    "settings",
    "network",
    "facilities",
    "boundaries",
    "households",
    "buildings",
    "premises",
    "hazards",
)
"""What may make a run stale, in the order in which it is told."""


def digest_network(network: RoadNetwork) -> str:
    """Digest the roads."""
    columns = [
        value for name, value in vars(network).items() if name != "geometry" and _is_array(value)
    ]
    return _digest_arrays(
        (
            *columns,
            shapely.get_num_coordinates(network.geometry),
            shapely.get_coordinates(network.geometry),
            *(vars(network.turns).values() if len(network.turns) else ()),
        )
    )


def _is_array(value: object) -> bool:
    return isinstance(value, np.ndarray)


def digest_facilities(facilities: Facilities, kinds: Iterable[str]) -> str:
    """Digest the facilities of some kinds."""
    named = np.isin(facilities.kind, list(kinds))
    return _digest_arrays(
        column[named]
        for column in (
            facilities.facility_id,
            facilities.kind.astype("U32"),
            facilities.lon,
            facilities.lat,
            facilities.turnout_minutes,
        )
    )


def digest_boundaries(hierarchy: Hierarchy) -> str:
    """Digest the grids and their parents."""
    return _digest_arrays((hierarchy.grid_id, hierarchy.rank, hierarchy.parent))


def digest_columns(arrays: Mapping[str, npt.NDArray[Any]]) -> str:
    """Digest the columns of a table."""
    return _digest_arrays(arrays[name] for name in sorted(arrays))


def digest_settings(parameters: Mapping[str, Any]) -> str:
    """Digest the numbers of a standard."""
    words = json.dumps(parameters, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(words.encode()).hexdigest()


def digest_inputs(
    software: str,
    parameters: Mapping[str, Any],
    network: str,
    facilities: Facilities,
    kinds: Iterable[str],
    county: Mapping[str, str],
) -> dict[str, str]:
    """Digest all that a measurement stands on."""
    return {
        "software": software,
        "settings": digest_settings(parameters),
        "network": network,
        "facilities": digest_facilities(facilities, kinds),
        **county,
    }


def combine_digests(inputs: Mapping[str, str]) -> str:
    """Digest the digests: the run's fingerprint."""
    words = "\n".join(f"{part} {inputs.get(part, '')}" for part in PARTS)
    return hashlib.sha256(words.encode()).hexdigest()


def find_changed_parts(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """
    Name the parts that are other ones now.

    Parameters
    ----------
    before
        As the run was measured; a run of an earlier release may lack a part.
    now
        As they are.

    Returns
    -------
    tuple of str
        Of :data:`PARTS`.
    """
    return tuple(part for part in PARTS if before.get(part) != now.get(part))


def _digest_arrays(arrays: Iterable[npt.NDArray[Any]]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
