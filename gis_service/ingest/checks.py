"""What a row of each table must be: the same checks for a region, a file and anything else.

Each takes a frame of the form of :data:`~gis_service.ingest.frames.COLUMNS` and gives it back at
the door, with what was refused. Nothing here touches the store.
"""

from collections.abc import Mapping
from typing import Final

import pandas as pd
import shapely

from gis_service.ingest.door import Door
from gis_service.store import tables as t

AREAS: Final = (shapely.GeometryType.POLYGON, shapely.GeometryType.MULTIPOLYGON)

References = Mapping[str, int]
"""Ids by key of the rows that others point to."""


def buildings(frame: pd.DataFrame) -> Door:
    """
    Check buildings.

    Parameters
    ----------
    frame
        ``buildings``.

    Returns
    -------
    Door
        The rows and what was refused of them.
    """
    door = Door("buildings", frame)
    door.texts("key", "kind", required=True)
    door.texts("name", "address")
    door.numbers("storeys", 1, 200)
    door.points()
    door.geometries("footprint", AREAS, optional=True)
    door.unique("key")
    return door


def households(frame: pd.DataFrame, building_ids: References) -> Door:
    """
    Check households: one without a building is allowed, one with an unknown one is not.

    Parameters
    ----------
    frame
        ``households``.
    building_ids
        Of the buildings that are there.

    Returns
    -------
    Door
        The rows and what was refused of them.
    """
    door = Door("households", frame)
    door.texts("key", required=True)
    door.texts("street", "house_number", "room", "head_name", "phone")
    door.numbers("group_number", 0, 32767, optional=True)
    door.numbers("people", 0, 99)
    door.tags("care_tags")
    door.points()
    door.refers("building_key", building_ids, "building_id", optional=True)
    door.unique("key")
    return door


def premises(frame: pd.DataFrame, building_ids: References) -> Door:
    """
    Check premises.

    Parameters
    ----------
    frame
        ``premises``.
    building_ids
        Of the buildings that are there.

    Returns
    -------
    Door
        The rows and what was refused of them.
    """
    door = Door("premises", frame)
    door.texts("key", "name", "kind", required=True)
    door.texts("responsible_name", "phone")
    door.one_of("grade", ("A", "B", "C", "D"))
    door.points()
    door.refers("building_key", building_ids, "building_id", optional=True)
    door.unique("key")
    return door


def facilities(frame: pd.DataFrame) -> Door:
    """
    Check service points, stations and water sources; a missing name becomes an empty one.

    Parameters
    ----------
    frame
        ``facilities``.

    Returns
    -------
    Door
        The rows and what was refused of them.
    """
    door = Door("facilities", frame)
    door.texts("key", required=True)
    door.texts("name", "address", "phone", "grade")
    door.one_of("kind", t.FACILITY_KINDS)
    door.numbers("turnout_minutes", 0, 60, whole=False, optional=True)
    door.points()
    door.unique("key")
    return door


def hazards(frame: pd.DataFrame, premises_ids: References) -> Door:
    """
    Check hazards.

    Parameters
    ----------
    frame
        ``hazards``.
    premises_ids
        Of the premises that are there.

    Returns
    -------
    Door
        The rows and what was refused of them.
    """
    door = Door("hazards", frame)
    door.texts("key", "kind", required=True)
    door.texts("note")
    door.one_of("grade", ("ordinary", "major"))
    door.one_of("status", t.HAZARD_STATES)
    door.days("found_on")
    door.days("due_on")
    door.days("rectified_on", optional=True)
    door.days("closed_on", optional=True)
    door.ordered("found_on", "due_on")
    door.ordered("found_on", "rectified_on")
    door.ordered("found_on", "closed_on")
    door.present_iff("closed_on", door.columns["status"] == "closed", "status")
    door.points()
    door.refers("premises_key", premises_ids, "premises_id", optional=True)
    door.unique("key")
    return door


def incidents(frame: pd.DataFrame) -> Door:
    """
    Check incidents; times tell their zone.

    Parameters
    ----------
    frame
        ``incidents``.

    Returns
    -------
    Door
        The rows and what was refused of them.
    """
    door = Door("incidents", frame)
    door.texts("key", "kind", required=True)
    door.texts("text", "reporter_name", "reporter_phone")
    door.one_of("status", t.INCIDENT_STATES)
    door.moments("reported_at")
    door.moments("closed_at", optional=True)
    door.ordered("reported_at", "closed_at")
    door.present_iff("closed_at", door.columns["status"] == "closed", "status")
    door.points()
    door.unique("key")
    return door


def officers(frame: pd.DataFrame) -> Door:
    """
    Check officers; the place of the duty post may be missing.

    Parameters
    ----------
    frame
        ``officers``.

    Returns
    -------
    Door
        The rows and what was refused of them.
    """
    door = Door("officers", frame)
    door.texts("key", "name", required=True)
    door.texts("phone")
    door.flags("full_time")
    door.ranges()
    door.points(optional=True)
    door.unique("key")
    return door
