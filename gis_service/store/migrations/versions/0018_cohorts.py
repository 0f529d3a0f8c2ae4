"""
Objects that move from grid to grid together are a cohort, the word of the field for a lot.

Revision ID: 0018
Revises: 0017
"""

from alembic import context, op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

COHORTS = """
CREATE OR REPLACE VIEW assignment AS
SELECT member.scheme_id, member.object_kind, member.object_id, span.valid, cohort_grid.grid_id,
       member.method, member.nearest_grid_id, member.distance_m
FROM membership AS member
LEFT JOIN cohort_grid ON cohort_grid.cohort_id = member.cohort_id
                     AND cohort_grid.valid && member.valid
CROSS JOIN LATERAL (
    SELECT member.valid * coalesce(cohort_grid.valid, member.valid)
) AS span (valid);
COMMENT ON VIEW assignment IS
    'Which grid an object belonged to, from when to when: its cohorts, with their grids.';

CREATE OR REPLACE FUNCTION gis_check_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    -- planned anew each time: one row and half a million want different ways
    EXECUTE $sql$
        SELECT format('cohort %s of scheme %s', named.cohort_id, named.scheme_id)
        FROM (SELECT cohort_id, scheme_id FROM fresh GROUP BY cohort_id, scheme_id) AS named
        LEFT JOIN cohort USING (cohort_id, scheme_id)
        WHERE named.cohort_id IS NOT NULL AND cohort.cohort_id IS NULL
        UNION ALL
        SELECT format('grid %s of scheme %s', named.nearest_grid_id, named.scheme_id)
        FROM (SELECT nearest_grid_id, scheme_id FROM fresh
              GROUP BY nearest_grid_id, scheme_id) AS named
        LEFT JOIN grid ON grid.grid_id = named.nearest_grid_id
                      AND grid.scheme_id = named.scheme_id
        WHERE named.nearest_grid_id IS NOT NULL AND grid.grid_id IS NULL
        LIMIT 1
    $sql$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'an assignment names %, which is not there', wrong
            USING ERRCODE = 'foreign_key_violation', TABLE = 'membership',
                  CONSTRAINT = 'membership_names_a_cohort';
    END IF;
    EXECUTE $sql$
        SELECT format('%s %s of scheme %s', object_kind, object_id, scheme_id)
        FROM fresh JOIN membership AS other USING (scheme_id, object_kind, object_id)
        WHERE other.since <> fresh.since AND other.valid && fresh.valid
        LIMIT 1
    $sql$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'two assignments of % on one day', wrong
            USING ERRCODE = 'exclusion_violation', TABLE = 'membership',
                  CONSTRAINT = 'membership_once_a_day';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION gis_keep_grids() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- where a cohort belongs to a grid its foreign key speaks
    IF EXISTS (SELECT FROM gone JOIN membership ON membership.nearest_grid_id = gone.grid_id) THEN
        RAISE EXCEPTION 'objects are assigned to a grid that is deleted'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'membership',
                  CONSTRAINT = 'membership_names_a_grid';
    END IF;
    RETURN NULL;
END $$;
"""

TABLES = (("lot", "cohort"), ("lot_grid", "cohort_grid"))
COLUMNS = ("cohort", "cohort_grid", "membership")
CONSTRAINTS = (
    ("cohort", "pk_lot", "pk_cohort"),
    ("cohort", "fk_lot_scheme_id", "fk_cohort_scheme_id"),
    ("cohort", "uq_lot_lot_id_scheme_id", "uq_cohort_cohort_id_scheme_id"),
    ("cohort_grid", "pk_lot_grid", "pk_cohort_grid"),
    ("cohort_grid", "fk_lot_grid_lot_id_scheme_id", "fk_cohort_grid_cohort_id_scheme_id"),
    ("cohort_grid", "fk_lot_grid_grid_id_scheme_id", "fk_cohort_grid_grid_id_scheme_id"),
    ("cohort_grid", "ck_lot_grid_valid_not_empty", "ck_cohort_grid_valid_not_empty"),
    ("cohort_grid", "ex_lot_grid_lot_valid", "ex_cohort_grid_cohort_valid"),
    ("membership", "ck_membership_outside_has_no_lot", "ck_membership_outside_has_no_cohort"),
)
INDEXES = (
    ("ix_lot_grid_grid", "ix_cohort_grid_grid"),
    ("ix_membership_lot", "ix_membership_cohort"),
)
SEQUENCE = ("lot_lot_id_seq", "cohort_cohort_id_seq")


def upgrade() -> None:
    for old, new in TABLES:
        op.rename_table(old, new)
    for table in COLUMNS:
        op.alter_column(table, "lot_id", new_column_name="cohort_id")
    for table, old, new in CONSTRAINTS:
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
    for old, new in INDEXES:
        op.execute(f"ALTER INDEX {old} RENAME TO {new}")
    op.execute("ALTER SEQUENCE {} RENAME TO {}".format(*SEQUENCE))
    _comment("cohort")
    op.execute(COHORTS)


def downgrade() -> None:
    op.execute("ALTER SEQUENCE {1} RENAME TO {0}".format(*SEQUENCE))
    for old, new in INDEXES:
        op.execute(f"ALTER INDEX {new} RENAME TO {old}")
    for table, old, new in CONSTRAINTS:
        op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {new} TO {old}")
    for table in COLUMNS:
        op.alter_column(table, "cohort_id", new_column_name="lot_id")
    for old, new in TABLES:
        op.rename_table(new, old)
    _comment("lot")
    lots = context.script.get_revision("0013").module.LOTS
    op.execute(lots.replace("CREATE VIEW", "CREATE OR REPLACE VIEW"))


def _comment(word: str) -> None:
    op.create_table_comment(
        f"{word}_grid",
        f"Which grid a {word} belonged to, from when to when: from ever to ever without a gap.",
    )
    op.create_table_comment(
        "membership",
        f"Which {word} an object belonged to, from when to when; an object's rows never overlap.",
    )
