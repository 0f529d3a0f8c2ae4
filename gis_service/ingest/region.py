"""A whole region from one OpenStreetMap file: read, published, written and assigned at once.

Boundaries go through the same publication as everything later. All of it is one transaction: a
file that fails leaves the store as it was.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.boundaries.linework.far_parts import refuse_apart
from gis_service.boundaries.linework.tessellation import Flaw, Tessellation, from_polygons
from gis_service.boundaries.publication.grid_table import publish_table
from gis_service.boundaries.publication.writing import SchemeLevel, ensure_scheme
from gis_service.errors import ConflictError
from gis_service.grids.assignment import AssignmentReport, assign_new
from gis_service.grids.versions import today
from gis_service.ingest.osm.reading import OsmRegion
from gis_service.ingest.osm.scan import check_osm_file
from gis_service.ingest.readers.frames import Note, make_empty
from gis_service.ingest.sandbox.client import read_osm_in_child
from gis_service.ingest.writing.queries import ImportSource, read_region_imports
from gis_service.ingest.writing.write import (
    ImportResult,
    write_admin_units,
    write_frames,
)
from gis_service.store.engine import Store, lock_for_loading

_CODE_LAYOUT = (6, 3, 3, 3)
_SIZE_RULE = {"urban": (200, 300), "rural": (80, 300)}


@dataclass(frozen=True)
class RegionResult:
    """
    What came in.

    Attributes
    ----------
    written
        Rows taken and refused.
    flaws
        Land that two grids claimed, or none.
    assigned
        Which objects lie in which grid, and which outside.
    """

    name: str
    written: ImportResult
    flaws: list[Flaw]
    assigned: AssignmentReport


def import_region(
    store: Store,
    actor: Actor,
    path: Path,
    region: OsmRegion | None = None,
    *,
    whole_file: bool = False,
) -> RegionResult | None:
    """
    Take a region into a store that holds none yet.

    Parameters
    ----------
    store
        The store.
    actor
        Who imports.
    path
        A ``.pbf``, ``.osm``, ``.osm.gz`` or ``.osm.bz2``.
    region
        The same file as :func:`~gis_service.ingest.osm.reading.read_osm` read it, if that is done.
    whole_file
        As for :func:`~gis_service.ingest.osm.reading.read_osm`.

    Returns
    -------
    RegionResult or None
        None where this very file, read in this way, is what the store holds: nothing changes.

    Raises
    ------
    InputError
        The file cannot be read, or its grids overlap.
    ConflictError
        The store holds another county.
    """
    check_osm_file(path)
    source = ImportSource.of_file(path, "osm")
    with store.transaction(actor) as connection:
        if _is_loaded(connection, source, whole_file=whole_file):
            return None
    region = region or read_osm_in_child(path, whole_file=whole_file)
    with store.transaction(actor) as connection:
        lock_for_loading(connection)
        if _is_loaded(connection, source, whole_file=whole_file):  # somebody may have been faster
            return None
        tessellation, flaws = _tessellate(region)
        written = _write_region(
            connection, actor, region, tessellation, source, details={"whole_file": whole_file}
        )
        return RegionResult(region.name, written, flaws, assign_new(connection))


def _is_loaded(connection: sa.Connection, source: ImportSource, *, whole_file: bool) -> bool:
    imports = read_region_imports(connection)
    if any(
        row.sha256 == source.sha256 and row.details.get("whole_file", False) == whole_file
        for row in imports
    ):
        return True
    if imports:
        raise ConflictError("ingest.store_taken", held=imports[-1].source_name, file=source.name)
    return False


def _tessellate(region: OsmRegion) -> tuple[Tessellation, list[Flaw]]:
    grids = region.grid_polygons
    grids = grids[grids["rank"] == grids["rank"].max()]
    refuse_apart(grids["name"].tolist(), grids["geometry"].to_numpy())
    return from_polygons(grids["key"].tolist(), grids["geometry"].to_numpy())


def _write_region(
    connection: sa.Connection,
    actor: Actor,
    region: OsmRegion,
    tessellation: Tessellation,
    source: ImportSource,
    details: Mapping[str, Any],
) -> ImportResult:
    write_admin_units(connection, region.frames.admin_units)
    ensure_scheme(
        connection,
        "base",
        "基础网格",
        "Base grids",
        [_scheme_level(row) for row in region.levels.itertuples()],
        code_layout=_CODE_LAYOUT,
        size_rule=_SIZE_RULE,
    )
    first_day = region.data_day or today(connection)
    published = publish_table(
        connection,
        actor,
        "base",
        tessellation,
        _draft_table(region.grid_polygons),
        min(first_day, today(connection)),
        region.name,
        reason=source.name,
    )
    return write_frames(
        connection,
        actor,
        replace(region.frames, admin_units=make_empty("admin_units")),
        grid_ids=published.grid_ids,
        source=replace(source, data_day=region.data_day, clipped=region.clipped),
        refused_before=region.refusals,
        notes=region.notes,
        details=details,
    )


def _scheme_level(row: Any) -> SchemeLevel:
    return SchemeLevel(int(row.rank), row.label, row.label_en)


def _draft_table(polygons: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "key": polygons["key"],
            "rank": polygons["rank"],
            "name": polygons["name"],
            "parent": polygons["parent_key"],
            "code": polygons["code"],
            "admin_code": polygons["code"],
        }
    )


def list_notes(result: RegionResult) -> list[Note]:
    """
    Say what the sender should know.

    Parameters
    ----------
    result
        Of :func:`import_region`.

    Returns
    -------
    list of Note
        Notes of the reader, flaws of the boundaries, objects outside every grid.
    """
    notes = list(result.written.notes)
    notes += [
        Note(
            f"ingest.flaw_{flaw.kind}", {"grids": " / ".join(flaw.keys), "m2": round(flaw.area_m2)}
        )
        for flaw in result.flaws
    ]
    if result.assigned.outside:
        notes.append(Note("ingest.outside", {"n": len(result.assigned.outside)}))
    return notes
