"""How near two reports are in place and time, so that one thing is not worked on twice.

Pure: candidates in, the likely ones out, nearest first. What is the same is for a person to say.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from gis_service.geodesy import distance_m

_METRES_PER_DEGREE: Final = 110_000.0
"""Below the true length of a degree of latitude anywhere: the box is never too small."""


@dataclass(frozen=True)
class Candidate:
    """A report that may be of the same thing."""

    incident_id: int
    lon: float
    lat: float
    reported_at: datetime


@dataclass(frozen=True)
class LikelyCandidate:
    """A candidate that is near, and how near."""

    incident_id: int
    distance_m: float
    hours_apart: float


def box_around(lon: float, lat: float, radius_m: float) -> tuple[float, float, float, float]:
    """Draw a box that holds every place within a radius."""
    high = radius_m / _METRES_PER_DEGREE
    widest = max(math.cos(math.radians(min(abs(lat) + high, 89.9))), 1e-3)
    wide = high / widest
    return lon - wide, lat - high, lon + wide, lat + high


def find_likely(
    candidates: Sequence[Candidate],
    lon: float,
    lat: float,
    at: datetime,
    radius_m: float,
    hours: float,
) -> list[LikelyCandidate]:
    """Keep the candidates that are near in place and time."""
    if not candidates:
        return []
    metres = distance_m(
        lon,
        lat,
        np.array([candidate.lon for candidate in candidates]),
        np.array([candidate.lat for candidate in candidates]),
    )
    apart = [abs(candidate.reported_at - at) / timedelta(hours=1) for candidate in candidates]
    near = [
        LikelyCandidate(candidate.incident_id, round(float(metre), 1), round(hour, 2))
        for candidate, metre, hour in zip(candidates, np.atleast_1d(metres), apart, strict=True)
        if metre <= radius_m and hour <= hours
    ]
    return sorted(
        near,
        key=lambda candidate: (candidate.distance_m, candidate.hours_apart, candidate.incident_id),
    )
