"""What a county hands in, as tables in memory: the one form between any source and the store.

Readers (OpenStreetMap, the demo county, later every file format) make these; ``ingest.write`` puts
them into the store. All coordinates are CGCS2000 lon, lat in degrees. A ``key`` column is the
source's own stable name of the row. Days are ``datetime.date``; ``valid_to`` is exclusive, None
is open.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import pandas as pd

from gis_service.errors import Place
from gis_service.messages import Language, text
from gis_service.records import RECORDS

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    # geometry: shapely (Multi)Polygon or None
    "admin_units": (
        "code",
        "name",
        "level",
        "parent_code",
        "source_list",
        "urban_rural_class",
        "valid_from",
        "valid_to",
        "geometry",
    ),
    "road_nodes": ("node_id", "lon", "lat"),
    # geometry: shapely LineString from source_node to target_node; oneway 0, 1 or -1
    "road_edges": (
        "edge_id",
        "source_node",
        "target_node",
        "road_class",
        "name",
        "oneway",
        "maxspeed_kmh",
        "bridge",
        "tunnel",
        "dual_carriageway",
        "roundabout",
        "foot",
        "motor",
        "geometry",
    ),
    # edges and node are None where why_not says why the restriction is not applied
    "road_turns": ("relation_id", "kind", "from_edge", "via_node", "to_edge", "why_not"),
    # geometry: shapely (Multi)Polygon
    "land_cover": ("key", "kind", "name", "geometry"),
    # a grid's key in duties is that of any level in the boundaries that are published with them
    **{record.plural: record.headings for record in RECORDS.values()},
}


def make_empty(name: str) -> pd.DataFrame:
    """Make a frame of :data:`COLUMNS` without rows."""
    return pd.DataFrame({column: pd.Series(dtype=object) for column in COLUMNS[name]})


@dataclass
class CountyFrames:
    """Everything of a region but its grids; each attribute has the columns of :data:`COLUMNS`."""

    admin_units: pd.DataFrame = field(default_factory=partial(make_empty, "admin_units"))
    road_nodes: pd.DataFrame = field(default_factory=partial(make_empty, "road_nodes"))
    road_edges: pd.DataFrame = field(default_factory=partial(make_empty, "road_edges"))
    road_turns: pd.DataFrame = field(default_factory=partial(make_empty, "road_turns"))
    buildings: pd.DataFrame = field(default_factory=partial(make_empty, "buildings"))
    households: pd.DataFrame = field(default_factory=partial(make_empty, "households"))
    premises: pd.DataFrame = field(default_factory=partial(make_empty, "premises"))
    facilities: pd.DataFrame = field(default_factory=partial(make_empty, "facilities"))
    hazards: pd.DataFrame = field(default_factory=partial(make_empty, "hazards"))
    incidents: pd.DataFrame = field(default_factory=partial(make_empty, "incidents"))
    officers: pd.DataFrame = field(default_factory=partial(make_empty, "officers"))
    duties: pd.DataFrame = field(default_factory=partial(make_empty, "duties"))
    leaves: pd.DataFrame = field(default_factory=partial(make_empty, "leaves"))
    land_cover: pd.DataFrame = field(default_factory=partial(make_empty, "land_cover"))


@dataclass(frozen=True)
class Refusal:
    """One row or feature that could not be taken, and why."""

    # In words for the person who sent it; Chinese where a message key says it.
    reason: str
    # Where; rows count from 1.
    row: int | None = None
    feature: str | None = None
    field: str | None = None
    # The message and what fills it, so that it can be said in the other language too.
    key: str = ""
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)

    @classmethod
    def because(cls, key: str, /, place: Place, **values: object) -> "Refusal":
        """
        Refuse with a message of ours.

        Parameters
        ----------
        key
            Of the message files.
        place
            Row, feature and field.
        **values
            What fills the message; never personal data.

        Returns
        -------
        Refusal
            With the reason in Chinese and the key for the other language.
        """
        reason = text(key, "zh-CN", **values)
        return cls(reason, place.row, place.feature, place.field, key, values)

    def say(self, language: Language) -> str:
        """
        Put the reason into words.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        str
            The reason, as it was given where no message key stands behind it.
        """
        return text(self.key, language, **self.values) if self.key else self.reason

    def message(self) -> dict[str, object] | str:
        """
        Give the reason as a value of another message, which says it in its own language.

        Returns
        -------
        dict or str
            As :func:`gis_service.messages.text` takes it.
        """
        return {"message": self.key, "values": dict(self.values)} if self.key else self.reason


@dataclass(frozen=True)
class Note:
    """Something the sender should know though nothing was refused: a message and its values."""

    key: str
    values: Mapping[str, object] = dataclasses.field(default_factory=dict)

    def say(self, language: Language) -> str:
        """
        Put the note into words.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        str
            One sentence.
        """
        return text(self.key, language, **self.values)
