"""
Rules by rows: who is not named sees and writes nothing, who has areas sees what lies in them.

Revision ID: 0021
Revises: 0020
"""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

STAFF = (
    "'county_office', 'planner', 'dispatcher', 'analyst', 'town_office', 'village_head',"
    " 'grid_officer'"
)

# Definer: a rule that asked a table under rules would ask itself. They run as the owner, whom no
# rule binds, and give away nothing but numbers of the one who is named.
_DEFINER = (
    "STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS"
)

WHO = f"""
CREATE FUNCTION gis_in_whole_county() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT gis_actor_id() IS NOT NULL
        AND coalesce(current_setting('gis.scope', true) = 'county', false)
$$;
COMMENT ON FUNCTION gis_in_whole_county() IS
    'Whether the service works on what all share, or has looked at the rights itself.';

CREATE FUNCTION gis_sees_county() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT gis_in_whole_county()
        OR gis_actor_id() IS NOT NULL
        AND coalesce(current_setting('gis.actor_areas', true) = 'county', false)
        AND coalesce(gis_actor_role() IN ({STAFF}), false)
$$;
COMMENT ON FUNCTION gis_sees_county() IS
    'Whether who is named works with people and trouble of the whole county.';

CREATE FUNCTION gis_sees_all_jobs() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT gis_in_whole_county()
        OR gis_actor_id() IS NOT NULL AND coalesce(gis_actor_role() = 'county_office', false)
$$;
COMMENT ON FUNCTION gis_sees_all_jobs() IS 'Others see the jobs they have asked for.';

CREATE FUNCTION gis_my_grids() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    WITH RECURSIVE below (grid_id) AS (
        SELECT unnest(CASE
            WHEN gis_actor_id() IS NOT NULL AND gis_actor_role() IN ({STAFF})
             AND current_setting('gis.actor_areas', true) LIKE '{{%'
            THEN current_setting('gis.actor_areas', true)::bigint[]
        END)
        UNION ALL
        SELECT state.grid_id FROM grid_state AS state
        JOIN below ON state.parent_grid_id = below.grid_id
        WHERE state.valid @> gis_today()
    )
    SELECT coalesce(array_agg(grid_id), '{{}}') FROM below
$$;
COMMENT ON FUNCTION gis_my_grids() IS
    'The areas of who is named and every grid below them today; none for the whole county.';

CREATE FUNCTION gis_my_cohorts() RETURNS bigint[] LANGUAGE sql {_DEFINER} $$
    SELECT coalesce(array_agg(DISTINCT cohort_id), '{{}}') FROM cohort_grid
    WHERE grid_id = ANY ((SELECT gis_my_grids())::bigint[])
$$;
COMMENT ON FUNCTION gis_my_cohorts() IS 'The cohorts that were or are in grids of gis_my_grids().';

CREATE FUNCTION gis_my_households() RETURNS bigint[] LANGUAGE sql {_DEFINER} $$
    SELECT coalesce(array_agg(object_id), '{{}}') FROM membership
    WHERE cohort_id = ANY (ARRAY(
        SELECT cohort_id FROM cohort_grid
        WHERE grid_id = ANY ((SELECT gis_my_grids())::bigint[])
          AND valid @> (SELECT gis_today())
    ))
    AND object_kind = 'household' AND valid @> (SELECT gis_today())
$$;
COMMENT ON FUNCTION gis_my_households() IS 'The households that lie in gis_my_grids() today.';

CREATE FUNCTION gis_my_incidents() RETURNS bigint[] LANGUAGE sql {_DEFINER} $$
    SELECT coalesce(array_agg(incident_id), '{{}}') FROM incident
    WHERE base_grid_id = ANY ((SELECT gis_my_grids())::bigint[])
$$;
COMMENT ON FUNCTION gis_my_incidents() IS 'The incidents that lie in gis_my_grids().';

CREATE FUNCTION gis_my_officers() RETURNS bigint[] LANGUAGE sql {_DEFINER} $$
    SELECT coalesce(array_agg(DISTINCT officer_id), '{{}}') FROM grid_duty
    WHERE grid_id = ANY ((SELECT gis_my_grids())::bigint[]) AND valid @> (SELECT gis_today())
$$;
COMMENT ON FUNCTION gis_my_officers() IS 'The officers who serve gis_my_grids() today.';

CREATE FUNCTION gis_ids_in_box(
    kind text, west double precision, south double precision, east double precision,
    north double precision
) RETURNS bigint[] LANGUAGE plpgsql {_DEFINER} $$
DECLARE
    box CONSTANT geometry := ST_MakeEnvelope(west, south, east, north, 4490);
BEGIN
    RETURN CASE kind
        WHEN 'household' THEN ARRAY(SELECT household_id FROM household WHERE point && box)
        WHEN 'premises' THEN ARRAY(SELECT premises_id FROM premises WHERE point && box)
        WHEN 'hazard' THEN ARRAY(SELECT hazard_id FROM hazard WHERE point && box)
        WHEN 'incident' THEN ARRAY(SELECT incident_id FROM incident WHERE point && box)
    END;
END $$;
REVOKE ALL ON FUNCTION gis_ids_in_box(
    text, double precision, double precision, double precision, double precision
) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gis_ids_in_box(
    text, double precision, double precision, double precision, double precision
) TO gis_service;
COMMENT ON FUNCTION gis_ids_in_box(
    text, double precision, double precision, double precision, double precision
) IS 'Numbers by the spatial index, which a query under rules does without; rules are the query''s.';
"""


def _among(column: str, function: str) -> str:
    # A sub-selection is worked out once for a query, and an array of it goes by an index.
    return f"{column} = ANY ((SELECT {function}())::bigint[])"


COUNTY = "(SELECT gis_sees_county())"
OWN = "actor_id = (SELECT gis_actor_id())"
BY_GRID = f"{COUNTY} OR {_among('base_grid_id', 'gis_my_grids')}"
BY_OFFICER = f"{COUNTY} OR {_among('officer_id', 'gis_my_officers')}"
GRID_OF_HOUSE = "gis_grid_at(point, 'base')"
BY_INCIDENT = f"{COUNTY} OR {_among('incident_id', 'gis_my_incidents')}"

RULES = {
    "answer": "(SELECT gis_in_whole_county())",
    "cohort_grid": f"{COUNTY} OR {_among('grid_id', 'gis_my_grids')}",
    "coverage_household": f"{COUNTY} OR {_among('household_id', 'gis_my_households')}",
    "entry_change": f"{COUNTY} OR {OWN}",
    "grid_duty": f"{BY_OFFICER} OR {_among('grid_id', 'gis_my_grids')}",
    "hazard": BY_GRID,
    "household": BY_GRID,
    "import_record": COUNTY,
    "incident": BY_GRID,
    "incident_intake": COUNTY,
    "incident_photo": BY_INCIDENT,
    "incident_step": BY_INCIDENT,
    "job": f"(SELECT gis_sees_all_jobs()) OR {OWN}",
    "leave": BY_OFFICER,
    "membership": f"{COUNTY} OR {_among('cohort_id', 'gis_my_cohorts')}",
    "officer": BY_OFFICER,
    "premises": BY_GRID,
    "search_house": (
        f"building_id IS NOT NULL OR {COUNTY} OR {_among(GRID_OF_HOUSE, 'gis_my_grids')}"
    ),
    "search_person": f"{COUNTY} OR {_among('object_id', 'gis_my_officers')}",
}
"""What may be seen and written by whoever is named, by table."""

# A view reads as its owner, whom no rule binds (PostgreSQL 14 has no other), so it says them itself.
ASSIGNMENT = """
CREATE OR REPLACE VIEW assignment AS
SELECT member.scheme_id, member.object_kind, member.object_id, span.valid, cohort_grid.grid_id,
       member.method, member.nearest_grid_id, member.distance_m
FROM membership AS member
LEFT JOIN cohort_grid ON cohort_grid.cohort_id = member.cohort_id
                     AND cohort_grid.valid && member.valid
CROSS JOIN LATERAL (
    SELECT member.valid * coalesce(cohort_grid.valid, member.valid)
) AS span (valid)
"""
ITS_RULE = (
    f" WHERE {COUNTY} OR {_among('member.cohort_id', 'gis_my_cohorts')}"
    " OR (SELECT NOT row_security_active('membership'))"
)

# What triggers compare with must not hang on who asks.
CHECKS = ("gis_check_assignment()", "gis_keep_grids()")

SEARCH_PERSON = """
CREATE TABLE search_person (LIKE search_entry INCLUDING DEFAULTS INCLUDING IDENTITY);
ALTER TABLE search_person ADD CONSTRAINT pk_search_person PRIMARY KEY (entry_id);
COMMENT ON TABLE search_person IS
    'The entries that tell of a person: officers. Few, and read under rules that do without indexes.';
COMMENT ON COLUMN search_person.scheme_id IS 'of a grid; NULL for all that is of no scheme';
COMMENT ON COLUMN search_person.named IS 'the name as names are compared';
COMMENT ON COLUMN search_person.words IS 'the same with what stands around it';
COMMENT ON COLUMN search_person.syllables IS 'pinyin of words';
COMMENT ON COLUMN search_person.joined IS 'pinyin of words without blanks';
COMMENT ON COLUMN search_person.spelt IS 'pinyin of the name without blanks';
COMMENT ON COLUMN search_person.initials IS 'of the name';
COMMENT ON TABLE search_entry IS
    'What can be found by name and is no person; made from the other tables.';
COMMENT ON TABLE search_house IS
    'House numbers by street or village; those without a building are households''.';
DELETE FROM search_entry WHERE kind = 'officer';
INSERT INTO search_change (kind) VALUES ('officer');
"""


def upgrade() -> None:
    op.execute(SEARCH_PERSON)
    op.execute(WHO)
    for table, rule in RULES.items():
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY who_sees_it ON {table} USING ({rule})")
        op.execute(f"CREATE POLICY owner ON {table} TO gis_owner USING (true)")
    op.execute(ASSIGNMENT + ITS_RULE)
    for check in CHECKS:
        op.execute(
            f"ALTER FUNCTION {check} SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"
        )


def downgrade() -> None:
    for check in CHECKS:
        op.execute(f"ALTER FUNCTION {check} SECURITY INVOKER RESET search_path")
    op.execute(ASSIGNMENT)
    for table in RULES:
        op.execute(f"DROP POLICY who_sees_it ON {table}")
        op.execute(f"DROP POLICY owner ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
    op.execute(
        "DROP FUNCTION gis_ids_in_box(text, double precision, double precision, double precision,"
        " double precision)"
    )
    for function in (
        "my_officers", "my_incidents", "my_households", "my_cohorts", "my_grids", "sees_all_jobs",
        "sees_county", "in_whole_county",
    ):  # fmt: skip
        op.execute(f"DROP FUNCTION gis_{function}()")
    op.drop_table("search_person")
    op.create_table_comment(
        "search_entry",
        "What can be found by name; made from the other tables, officers' entries are read"
        " through access.visible only.",
    )
    op.create_table_comment(
        "search_house", "House numbers by street or village; no person stands here."
    )
    op.execute("INSERT INTO search_change (kind) VALUES ('officer')")
