"""Schemes of grids: made with their levels, and taken for a publication."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from gis_service.errors import NotFoundError
from gis_service.store import tables as t


@dataclass(frozen=True)
class SchemeLevel:
    """A tier of a scheme."""

    rank: int
    label: str
    label_en: str
    admin_level: str | None = None
    tessellates: bool = True


def ensure_scheme(
    connection: sa.Connection,
    code: str,
    name: str,
    name_en: str,
    levels: Sequence[SchemeLevel],
    *,
    code_layout: Sequence[int],
    size_rule: Mapping[str, Sequence[int]],
) -> int:
    """
    Make a scheme with its levels, or find it.

    Parameters
    ----------
    connection
        An open transaction.
    code
        ``base`` is the scheme whose grid stands on every row.
    name, name_en
        What people call it.
    levels
        Its tiers, rank 1 on top.
    code_layout
        Digits of each part of a code.
    size_rule
        Households of a lowest grid by ``urban`` and ``rural``: [least, most].

    Returns
    -------
    int
        The scheme's id.
    """
    known_id = connection.execute(
        sa.select(t.grid_scheme.c.scheme_id).where(t.grid_scheme.c.code == code)
    ).scalar_one_or_none()
    if known_id is not None:
        return int(known_id)
    scheme_id = connection.execute(
        sa.insert(t.grid_scheme)
        .values(
            code=code,
            name=name,
            name_en=name_en,
            is_base=code == "base",
            code_layout=list(code_layout),
            size_rule={key: list(value) for key, value in size_rule.items()},
        )
        .returning(t.grid_scheme.c.scheme_id)
    ).scalar_one()
    connection.execute(
        sa.insert(t.grid_level),
        [
            {
                "scheme_id": scheme_id,
                "rank": level.rank,
                "label": level.label,
                "label_en": level.label_en,
                "admin_level": level.admin_level,
                "tessellates": level.tessellates,
            }
            for level in levels
        ],
    )
    return int(scheme_id)


def lock_scheme(connection: sa.Connection, scheme: str) -> Any:
    """Take a scheme for a publication; the next one waits."""
    row = connection.execute(
        sa.select(t.grid_scheme).where(t.grid_scheme.c.code == scheme).with_for_update()
    ).first()
    if row is None:
        raise NotFoundError("grids.no_scheme", scheme=scheme)
    return row
