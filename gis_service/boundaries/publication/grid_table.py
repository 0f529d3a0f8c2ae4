"""A table of grids with their linework, from a file or a maker of counties, becomes a version."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

import pandas as pd
import shapely
import sqlalchemy as sa

from gis_service.access import Actor
from gis_service.boundaries.linework.tessellation import Tessellation
from gis_service.boundaries.publication.publishing import (
    Difference,
    Published,
    WantedGrid,
    find_difference,
    publish,
)
from gis_service.boundaries.publication.queries import (
    lock_scheme,
    read_admin_units,
    read_boundaries,
    read_codes,
    read_identities,
)
from gis_service.errors import InputError, Place
from gis_service.grids.versions import Version, read_versions

DRAFT_COLUMNS: Final = (
    "key", "rank", "name", "kind", "parent", "code", "urban_rural_class", "admin_code",
)  # fmt: skip
"""A row for every grid of every level; ``parent`` is a key, ``code`` None asks for one."""


def publish_table(
    connection: sa.Connection,
    actor: Actor,
    scheme: str,
    tessellation: Tessellation,
    drafts: pd.DataFrame,
    effective_day: date,
    title: str,
    *,
    reason: str = "",
    known: Mapping[str, int] | None = None,
    successors: Sequence[tuple[str, str]] = (),
) -> Published:
    """
    Make a tessellation the version of a scheme from a day on.

    Parameters
    ----------
    connection
        The transaction in which all of it stands or falls.
    actor
        Who publishes.
    scheme
        Code of the scheme.
    tessellation
        The base grids' linework.
    drafts
        Every grid of every level, :data:`DRAFT_COLUMNS`; the base ones are the tessellation's.
    effective_day
        Today or later; the first version of a scheme may be earlier.
    title, reason
        What it is called and why it is made.
    known
        Identity of the grids that exist already, by key; all others are new.
    successors
        Pairs of keys: the old grid, and the one that took over land from it.

    Returns
    -------
    Published
        Identities of all grids, and counts.

    Raises
    ------
    NotFoundError
        There is no such scheme.
    ConflictError
        The day lies in the past, or a version of that day or a later one exists.
    InputError
        The drafts and the tessellation do not belong together, or the faces are no coverage.
    """
    known = dict(known or {})
    changes = compare_table(
        connection, scheme, tessellation, drafts, effective_day, known, successors
    )
    published = publish(connection, actor, changes, effective_day, title, reason, count_upper=True)
    ids = {**known, **published.grid_ids}
    return replace(published, grid_ids={key: ids[key] for key in changes.grids})


def compare_table(
    connection: sa.Connection,
    scheme: str,
    tessellation: Tessellation,
    drafts: pd.DataFrame,
    effective_day: date,
    known: Mapping[str, int],
    successors: Sequence[tuple[str, str]] = (),
) -> Difference:
    """
    Find what a table of grids changes; nothing is written, but the scheme is taken.

    Parameters
    ----------
    connection
        The transaction that may publish it.
    scheme, tessellation, drafts, effective_day, known, successors
        As in :func:`publish_table`.

    Returns
    -------
    Difference
        By the table's keys.

    Raises
    ------
    NotFoundError
        There is no such scheme.
    InputError
        The drafts and the tessellation do not belong together, or the faces are no coverage.
    """
    scheme_id = lock_scheme(connection, scheme).scheme_id
    table = _check_table(drafts, tessellation)
    _check_identities(read_identities(connection, scheme_id), table, known)
    published = read_versions(connection, scheme)
    newest = published[-1] if published else Version(0, scheme_id, scheme, date.min, "")
    base = read_boundaries(connection, newest, {grid_id: key for key, grid_id in known.items()})
    codes = read_codes(connection, scheme_id)
    code_of = {grid_id: code for code, grid_id in codes.items()}
    code_of |= {grid.grid_id: grid.code for grid in base.grids.values()}
    units = read_admin_units(connection, effective_day)
    grids = {
        row.key: WantedGrid(
            int(row.rank),
            row.parent,
            row.name,
            row.code or code_of.get(known.get(row.key, 0)),
            row.urban_rural_class,
            _choose_unit(units.get(row.admin_code, {}), row.name),
            known.get(row.key),
            row.kind or "ordinary",
        )
        for row in table.itertuples()
    }
    _check_codes(grids, codes)
    faces = tessellation.faces()
    flat = shapely.get_parts(faces)
    if not shapely.coverage_is_valid(flat):
        edges = shapely.coverage_invalid_edges(flat)
        bad = edges[~shapely.is_empty(edges)]
        lon, lat = shapely.get_coordinates(bad)[0]
        raise InputError(
            "boundaries.no_coverage", place=Place(feature=f"{lon:.6f}, {lat:.6f}"), n=len(bad)
        )
    return find_difference(
        base, grids, tessellation, dict(zip(tessellation.keys, faces, strict=True)), successors
    )


def _check_table(drafts: pd.DataFrame, tessellation: Tessellation) -> pd.DataFrame:
    table = drafts.reindex(columns=list(DRAFT_COLUMNS)).astype(object)
    table = table.where(table.notna(), None).sort_values("rank", kind="stable")
    table = table.reset_index(drop=True)
    keys = table["key"].tolist()
    twice = table["key"][table["key"].duplicated()]
    if len(twice):
        raise InputError("boundaries.key_twice", place=Place(feature=str(twice.iloc[0])))
    rank_of = dict(zip(keys, table["rank"], strict=True))
    for row in table.itertuples():
        is_top = row.rank == 1
        if is_top != (row.parent is None) or (
            not is_top and rank_of.get(row.parent) != row.rank - 1
        ):
            raise InputError(
                "boundaries.wrong_parent", place=Place(feature=str(row.key)), parent=row.parent
            )
    lowest = max(rank_of.values(), default=0)
    base = {key for key, rank in rank_of.items() if rank == lowest}
    if base != set(tessellation.keys):
        unmatched = min(base ^ set(tessellation.keys))
        raise InputError("boundaries.drafts_differ", place=Place(feature=str(unmatched)))
    return table


def _check_identities(
    identities: Mapping[int, tuple[int, str]], table: pd.DataFrame, known: Mapping[str, int]
) -> None:
    """Refuse an identity that is not a grid of this scheme, level and kind."""
    for row in table.itertuples():
        if row.key not in known:
            continue
        rank, kind = identities.get(known[row.key], (None, None))
        if rank != row.rank or (row.kind is not None and kind != row.kind):
            raise InputError("boundaries.wrong_identity", place=Place(feature=str(row.key)))


def _check_codes(grids: Mapping[str, WantedGrid], codes: Mapping[str, int]) -> None:
    """Refuse a code that another grid has, or once had."""
    key_of: dict[str, str] = {}
    for key, grid in grids.items():
        if grid.code is None:
            continue
        if key_of.setdefault(grid.code, key) != key or (
            grid.code in codes and codes[grid.code] != grid.grid_id
        ):
            raise InputError("boundaries.code_taken", place=Place(feature=key, field="code"))


def _choose_unit(named: Mapping[str, int], name: str) -> int | None:
    """Take the unit of a code; where lists disagree whose it is, the one of the grid's name."""
    return next(iter(named.values())) if len(named) == 1 else named.get(name)
