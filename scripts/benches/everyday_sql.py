"""The leanest SQL that gives the rows of a request: prepared by hand, with indexes as it likes.

It runs on a copy of the county, on one connection of psycopg2 that stays open, commits by itself
and knows who asks: without HTTP, transactions, masks or rights.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.base import PGDialect

INDEXES: Final = (
    "CREATE INDEX ON household (base_grid_id, household_id) INCLUDE (people, care_tags)",
    "CREATE INDEX ON building (base_grid_id)",
    "CREATE INDEX ON coverage_figure (grid_id, run_id, kind) WHERE of = 'households'",
    "CREATE INDEX ON grid_state (scheme_id, rank, grid_id)",
    "VACUUM (ANALYZE)",
)
"""What the service does without: each new grid of a household would enter the first one."""

_BELOW: Final = """
WITH RECURSIVE below (id) AS (
    SELECT $1::bigint UNION ALL
    SELECT state.grid_id FROM grid_state AS state JOIN below ON state.parent_grid_id = below.id
    WHERE state.valid @> $2::date
)
"""
_IN_BELOW: Final = "base_grid_id = ANY (ARRAY(SELECT id FROM below))"

STATEMENTS: Final[Mapping[str, str]] = {
    "head": """
        WITH RECURSIVE walk AS (
            SELECT grid_id, parent_grid_id, name, code, rank FROM grid_state
            WHERE grid_id = $1::bigint AND valid @> $2::date UNION ALL
            SELECT above.grid_id, above.parent_grid_id, above.name, above.code, above.rank
            FROM grid_state AS above JOIN walk ON above.grid_id = walk.parent_grid_id
            WHERE above.valid @> $2::date
        )
        SELECT grid_id, name, code, rank FROM walk ORDER BY rank
    """,
    "counts": f"""
        {_BELOW}
        SELECT home.*, building.*, premises.*, hazard.*, incident.* FROM
            (SELECT count(*), coalesce(sum(people), 0),
                    count(*) FILTER (WHERE cardinality(care_tags) > 0)
             FROM household WHERE {_IN_BELOW}) AS home,
            (SELECT count(*) FROM building WHERE {_IN_BELOW}) AS building,
            (SELECT count(*) FROM premises WHERE {_IN_BELOW}) AS premises,
            (SELECT count(*) FILTER (WHERE closed_on IS NULL OR closed_on > $2::date),
                    count(*) FILTER (WHERE grade = 'major'
                                       AND (closed_on IS NULL OR closed_on > $2::date))
             FROM hazard WHERE {_IN_BELOW} AND found_on <= $2::date) AS hazard,
            (SELECT count(*) FILTER (WHERE closed_on IS NULL OR closed_on > $2::date),
                    count(*) FILTER (WHERE reported_on > $2::date - 30)
             FROM (SELECT (reported_at AT TIME ZONE 'Asia/Shanghai')::date AS reported_on,
                          (closed_at AT TIME ZONE 'Asia/Shanghai')::date AS closed_on
                   FROM incident WHERE {_IN_BELOW}) AS known
             WHERE reported_on <= $2::date) AS incident
    """,  # noqa: S608 (constants)
    "officers": """
        SELECT duty.role, duty.post, officer.name, officer.phone
        FROM grid_duty AS duty JOIN officer USING (officer_id)
        WHERE duty.grid_id = $1::bigint AND duty.valid @> $2::date AND officer.valid @> $2::date
        ORDER BY duty.role, duty.post
    """,
    "shares": """
        SELECT run_id, kind, n, covered FROM coverage_figure
        WHERE grid_id = $1::bigint AND of = 'households' AND run_id = ANY ($2::bigint[])
        ORDER BY run_id, kind
    """,
    "homes_count": f"{_BELOW} SELECT count(*) FROM household WHERE {_IN_BELOW}",  # noqa: S608
    "homes": f"""
        {_BELOW}
        SELECT household_id, street, house_number, group_number, room, head_name, phone, people,
               base_grid_id, state.name, ST_X(point), ST_Y(point)
        FROM household LEFT JOIN grid_state AS state
          ON state.grid_id = base_grid_id AND state.valid @> $2::date
        WHERE {_IN_BELOW} ORDER BY household_id LIMIT $3::int OFFSET $4::int
    """,  # noqa: S608
    "incidents_count": "SELECT count(*) FROM incident WHERE status <> 'closed'",
    "incidents": """
        SELECT incident_id, key, kind, status, text, address, channel, reported_at, tier,
               department, incident.version, returns, base_grid_id, state.name,
               ST_X(point), ST_Y(point)
        FROM incident LEFT JOIN grid_state AS state
          ON state.grid_id = base_grid_id AND state.valid @> $1::date
        WHERE status <> 'closed' ORDER BY reported_at DESC, incident_id LIMIT $2::int
    """,
    "near": """
        WITH place AS (SELECT ST_SetSRID(ST_MakePoint($1::float8, $2::float8), 4490) AS point),
             box AS (SELECT ST_Expand(point, 0.0056, 0.0047) AS box FROM place)
        SELECT (SELECT count(*) FROM hazard, place, box
                WHERE hazard.point && box AND status <> 'closed'
                  AND ST_Distance(hazard.point::geography, place.point::geography) <= 500),
               (SELECT count(*) FROM facility, place, box
                WHERE facility.point && box AND kind = 'water_source'
                  AND ST_Distance(facility.point::geography, place.point::geography) <= 500),
               (SELECT count(*) FROM premises, place, box WHERE premises.point && box
                  AND ST_Distance(premises.point::geography, place.point::geography) <= 500)
    """,
    "county": """
        SELECT (SELECT count(*) FROM household), (SELECT sum(people) FROM household),
               (SELECT count(*) FROM building), (SELECT count(*) FROM premises),
               (SELECT count(*) FROM hazard WHERE found_on <= $1::date
                  AND (closed_on IS NULL OR closed_on > $1::date)),
               (SELECT count(*) FROM incident
                WHERE (reported_at AT TIME ZONE 'Asia/Shanghai')::date <= $1::date
                  AND (closed_at IS NULL
                       OR (closed_at AT TIME ZONE 'Asia/Shanghai')::date > $1::date))
    """,
    "households_by_grid": """
        SELECT base_grid_id, count(*) FROM household
        WHERE base_grid_id IS NOT NULL GROUP BY base_grid_id
    """,
    "shares_by_grid": """
        SELECT grid_id, n, covered FROM coverage_figure
        WHERE run_id = $1::bigint AND rank = $2::int AND kind = '' AND of = 'households'
    """,
    "run_figures": """
        SELECT figure.grid_id, state.code, state.name, n, covered, too_far, unreachable,
               off_network, median_minutes, p90_minutes, worst_minutes
        FROM coverage_figure AS figure
        JOIN grid_state AS state ON state.grid_id = figure.grid_id AND state.valid @> $3::date
        WHERE run_id = $1::bigint AND figure.rank = $2::int AND kind = '' AND of = 'households'
        ORDER BY state.code
    """,
    "kept_tile": """
        SELECT body FROM tile WHERE layer = $1::text AND z = $2::int AND x = $3::int AND y = $4::int
    """,
    "plan": """
        SELECT plan.plan_id, plan.title, plan.status, plan.base_version_id, actor.name
        FROM plan JOIN actor ON actor.actor_id = plan.author_id WHERE plan_id = $1::bigint
    """,
    "plan_edits": "SELECT seq, edit FROM plan_edit WHERE plan_id = $1::bigint ORDER BY seq",
    "plan_words": "SELECT text FROM plan_comment WHERE plan_id = $1::bigint",
    "handed_over": """
        SELECT base_grid_id, count(*), sum(people) FROM household
        WHERE ST_Intersects(point, ST_SetSRID(ST_GeomFromGeoJSON($1::text), 4490))
          AND base_grid_id <> $2::bigint
        GROUP BY base_grid_id ORDER BY base_grid_id
    """,
}


class Sql:
    """
    Prepared statements on one connection.

    Parameters
    ----------
    connection
        Of psycopg2, committing by itself.
    """

    def __init__(self, connection: Any) -> None:
        self._cursor = connection.cursor()
        self._prepared: set[str] = set()

    def rows(self, name: str, *values: Any) -> list[tuple[Any, ...]]:
        """
        Execute one of ``STATEMENTS``.

        Parameters
        ----------
        name
            Which; prepared at its first call.
        *values
            ``$1``, ``$2`` …

        Returns
        -------
        list of tuple
            All rows.
        """
        return self._execute(name, STATEMENTS[name], values)

    def same(self, name: str, query: sa.Select[Any], values: Mapping[str, Any]) -> list[Any]:
        """
        Execute a statement of ours, where no leaner one gives the same rows.

        Parameters
        ----------
        name
            Under which it is prepared.
        query, values
            The statement and what it is asked with.

        Returns
        -------
        list of tuple
            All rows.
        """
        dialect = PGDialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
        if name not in self._texts:
            compiled = query.compile(dialect=dialect)
            self._texts[name] = (compiled.string, compiled.positiontup or [], compiled.params)
        text, order, given = self._texts[name]
        return self._execute(name, text, [values.get(one, given[one]) for one in order])

    def as_it_is(self, text: str, values: Any) -> list[tuple[Any, ...]]:
        """
        Execute a statement that is not prepared.

        Parameters
        ----------
        text, values
            As psycopg2 takes them.

        Returns
        -------
        list of tuple
            All rows.
        """
        self._cursor.execute(text, values)
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    _texts: Final[dict[str, tuple[str, Sequence[str], Mapping[str, Any]]]] = {}

    def _execute(self, name: str, text: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        if name not in self._prepared:
            self._cursor.execute(f"PREPARE {name} AS {text}")
            self._prepared.add(name)
        places = ", ".join(["%s"] * len(values))
        self._cursor.execute(f"EXECUTE {name}" + (f" ({places})" if values else ""), values)
        rows: list[tuple[Any, ...]] = self._cursor.fetchall()
        return rows
