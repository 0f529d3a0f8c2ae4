"""Load the demo county into a store that holds none: boundaries, roads, houses, people, trouble.

The calendar is replayed, so that the county arrives with two published versions a year apart. All
of it is one transaction: a load that is killed leaves the store empty, and runs again.
"""

import hashlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from gis_service import access
from gis_service.access import SYSTEM
from gis_service.access.actor import mark_made_up
from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.boundaries.publication.grid_table import publish_table
from gis_service.boundaries.publication.publishing import Published
from gis_service.boundaries.publication.writing import SchemeLevel, ensure_scheme
from gis_service.commands.terminal import exit_on_errors, language, say
from gis_service.ingest.readers.frames import CountyFrames, make_empty
from gis_service.ingest.writing.queries import ImportSource
from gis_service.ingest.writing.write import write_admin_units, write_frames
from gis_service.messages import text
from gis_service.store import Store, open_store
from gis_service.store import tables as t
from gis_service.store.engine import lock_for_loading
from scripts.demo_county.boundaries import Boundaries, load_boundaries
from scripts.demo_county.county import make_county

DATA = Path(__file__).resolve().parents[1] / "data" / "boundaries"
BASE_FILE = DATA / "demo_county.geojson.gz"
FIRE_FILE = DATA / "demo_fire.geojson.gz"
VERSION_DAYS = (date(2024, 7, 1), date(2025, 7, 1))


def load(store: Store, make: Callable[[Boundaries], CountyFrames] = make_county) -> bool:
    """
    Load the county unless one is there.

    Parameters
    ----------
    store
        The store.
    make
        Makes the county's people and things on its boundaries.

    Returns
    -------
    bool
        True if it was loaded now.
    """
    with store.transaction(SYSTEM) as connection:
        if _holds_a_county(connection):
            return False
    began = time.monotonic()
    say(text("demo.loading", language()))
    boundaries = load_boundaries(BASE_FILE)
    frames = make(boundaries)
    digest = hashlib.sha256(BASE_FILE.read_bytes()).hexdigest()
    source = ImportSource(BASE_FILE.name, digest, "EPSG:4490", "demo")
    with store.transaction(SYSTEM) as connection:
        lock_for_loading(connection)
        if _holds_a_county(connection):  # somebody was faster
            return False
        mark_made_up(connection)
        _replay(connection, VERSION_DAYS[0])
        write_admin_units(connection, frames.admin_units)
        published = _publish_base(connection, boundaries)
        _publish_fire(connection, load_boundaries(FIRE_FILE))
        _replay(connection, None)
        written = write_frames(
            connection,
            SYSTEM,
            replace(frames, admin_units=make_empty("admin_units")),
            grid_ids=published,
            source=source,
        )
        for refusal in written.refusals[:10]:
            say(text("demo.refused", language(), refusal=refusal))
        access.record(connection, SYSTEM, "load", "county", boundaries.county["code"])
    say(text("demo.loaded", language(), seconds=round(time.monotonic() - began)))
    return True


def _holds_a_county(connection: sa.Connection) -> bool:
    records = sa.select(sa.func.count()).select_from(t.import_record)
    return bool(connection.execute(records).scalar_one())


def _replay(connection: sa.Connection, day: date | None) -> None:
    """Let the store take a past day for today, inside this transaction only."""
    value = "" if day is None else day.isoformat()
    connection.execute(sa.select(sa.func.set_config("gis.today", value, True)))  # noqa: FBT003


def _publish_base(connection: sa.Connection, boundaries: Boundaries) -> dict[str, int]:
    _make_scheme(connection, "base", boundaries)
    known: dict[str, int] = {}
    titles = (text("demo.version_1", "zh-CN"), text("demo.version_2", "zh-CN"))
    for number, (day, title) in enumerate(zip(VERSION_DAYS, titles, strict=True), start=1):
        _replay(connection, day)
        published = _publish(
            connection, "base", boundaries, number, day, title, known=known,
            successors=[
                (row["old"], row["new"])
                for row in boundaries.successors
                if row["version"] == number
            ],
        )  # fmt: skip
        known |= published.grid_ids
    return known


def _publish_fire(connection: sa.Connection, boundaries: Boundaries) -> None:
    _make_scheme(connection, "fire", boundaries)
    _replay(connection, VERSION_DAYS[0])
    title = text("demo.version_1", "zh-CN")
    _publish(connection, "fire", boundaries, 1, VERSION_DAYS[0], title, known={})


def _make_scheme(connection: sa.Connection, code: str, boundaries: Boundaries) -> None:
    scheme = boundaries.scheme
    ensure_scheme(
        connection,
        code,
        scheme["name"],
        scheme["name_en"],
        [SchemeLevel(**level) for level in scheme["levels"]],
        code_layout=scheme["code_layout"],
        size_rule=scheme["size_rule"],
    )


def _publish(
    connection: sa.Connection,
    scheme: str,
    boundaries: Boundaries,
    number: int,
    day: date,
    title: str,
    *,
    known: dict[str, int],
    successors: Sequence[tuple[str, str]] = (),
) -> Published:
    tessellation, drafts = in_version(boundaries, number)
    return publish_table(
        connection, SYSTEM, scheme, tessellation, drafts, day, title,
        known=known, successors=successors,
    )  # fmt: skip


def in_version(boundaries: Boundaries, number: int) -> tuple[Tessellation, pd.DataFrame]:
    """
    Take one version out of the boundaries' file.

    Parameters
    ----------
    boundaries
        As read from the file.
    number
        1 or 2.

    Returns
    -------
    tessellation, drafts
        As :func:`gis_service.boundaries.publication.grid_table.publish_table` takes them.
    """
    version = boundaries.version(number)
    tessellation = Tessellation(
        version.keys, version.arcs, version.kinds, version.left, version.right
    )
    return tessellation, version.grids


def main() -> None:
    """Load it into the store that the settings name."""
    with exit_on_errors(), open_store() as store:
        load(store)


if __name__ == "__main__":
    main()
