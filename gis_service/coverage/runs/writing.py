"""A measured run into the store: whole, in the transaction of whoever calls.

The one module of this room that writes. What was measured for a place is written for every
household that stands there.
"""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import sqlalchemy as sa

from gis_service.coverage.county.queries import County
from gis_service.coverage.measuring.measurement import Measured
from gis_service.coverage.measuring.statistics import HOUSEHOLDS
from gis_service.coverage.network.graph import FloatArray
from gis_service.store import tables as t
from gis_service.store.bulk import copy_numbers, copy_rows

STORED_DIGITS: Final = 5
"""Decimals of a stored minute: a two-thousandth of a second. Statuses come from the exact one."""
_MINUTES: Final = ("median_minutes", "p90_minutes", "worst_minutes")


def write_run(
    connection: sa.Connection,
    run: Mapping[str, Any],
    county: County,
    measured: Measured,
    table: pd.DataFrame,
) -> int:
    """Write a run with every household's answer and all figures."""
    run_id: int = connection.execute(
        sa.insert(t.coverage_run).values(**run).returning(t.coverage_run.c.run_id)
    ).scalar_one()
    at = county.household_place
    copy_numbers(
        connection,
        t.coverage_household,
        {
            "run_id": np.full(len(at), run_id),
            "household_id": county.household_id,
            "status": measured.status[at],
            "minutes": _round_for_store(measured.minutes)[at],
            "kind_status": measured.kind_status[at],
            "kind_minutes": _round_for_store(measured.kind_minutes)[at],
            "kind_facility": np.ma.masked_less(measured.kind_facility[at], 0),
        },
    )
    # A grid without a single shop needs no row that says so; of households every grid has one.
    kept = table[(table["n"] > 0) | (table["of"] == HOUSEHOLDS) | (table["rank"] == 0)]
    copy_rows(
        connection,
        t.coverage_figure,
        {
            "run_id": np.full(len(kept), run_id),
            **{
                name: _round_for_store(kept[name].to_numpy(float))
                if name in _MINUTES
                else kept[name].to_numpy()
                for name in kept.columns
            },
        },
    )
    return run_id


def _round_for_store(minutes: FloatArray) -> FloatArray:
    return np.where(np.isfinite(minutes), np.round(minutes, STORED_DIGITS), np.nan)
