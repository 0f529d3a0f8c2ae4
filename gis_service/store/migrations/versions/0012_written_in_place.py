"""
Assignments and today's copies are written in place; what they name is checked by the statement.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

ASSIGNMENT_KEPT = """
CREATE FUNCTION gis_check_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    -- planned anew each time: one row and half a million want different ways
    EXECUTE $sql$
        SELECT format('grid %s of scheme %s', named.grid_id, named.scheme_id)
        FROM (SELECT grid_id, scheme_id FROM fresh GROUP BY grid_id, scheme_id
              UNION
              SELECT nearest_grid_id, scheme_id FROM fresh
              GROUP BY nearest_grid_id, scheme_id) AS named
        LEFT JOIN grid USING (grid_id, scheme_id)
        WHERE named.grid_id IS NOT NULL AND grid.grid_id IS NULL
        LIMIT 1
    $sql$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'an assignment names %, which is not there', wrong
            USING ERRCODE = 'foreign_key_violation', TABLE = 'assignment',
                  CONSTRAINT = 'assignment_names_a_grid';
    END IF;
    EXECUTE $sql$
        SELECT format('%s %s of scheme %s', object_kind, object_id, scheme_id)
        FROM fresh JOIN assignment AS other USING (scheme_id, object_kind, object_id)
        WHERE other.since <> fresh.since AND other.valid && fresh.valid
        LIMIT 1
    $sql$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'two assignments of % on one day', wrong
            USING ERRCODE = 'exclusion_violation', TABLE = 'assignment',
                  CONSTRAINT = 'assignment_once_a_day';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER assignment_kept AFTER INSERT ON assignment
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION gis_check_assignment();

CREATE FUNCTION gis_keep_grids() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone JOIN assignment ON assignment.grid_id = gone.grid_id
                                                OR assignment.nearest_grid_id = gone.grid_id) THEN
        RAISE EXCEPTION 'objects are assigned to a grid that is deleted'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'assignment',
                  CONSTRAINT = 'assignment_names_a_grid';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER grid_kept AFTER DELETE ON grid
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION gis_keep_grids();
"""

_COPIED = "copied from the assignment of today, which names only grids that are there"


def upgrade() -> None:
    for table in ("assignment", "household", "building"):
        op.execute(f"ALTER TABLE {table} SET (fillfactor = 50)")
    op.drop_constraint(op.f("fk_assignment_grid_id_scheme_id"), "assignment")
    op.drop_constraint(op.f("fk_assignment_nearest_grid_id_scheme_id"), "assignment")
    op.drop_index("uq_assignment_open", "assignment")
    op.drop_constraint(op.f("pk_assignment"), "assignment")
    op.add_column(
        "assignment",
        sa.Column(
            "since", sa.Date(), sa.Computed("lower(valid)", persisted=True), nullable=False
        ),
    )
    op.create_primary_key(
        op.f("pk_assignment"), "assignment", ["object_id", "since", "object_kind", "scheme_id"]
    )
    op.create_table_comment(
        "assignment",
        "Which grid an object belonged to, from when to when; an object's rows never overlap.",
    )
    for table in ("household", "building"):
        op.drop_constraint(op.f(f"fk_{table}_base_grid_id"), table)
        op.drop_index(f"ix_{table}_base_grid", table)
        op.alter_column(table, "base_grid_id", comment=_COPIED)
    op.execute(ASSIGNMENT_KEPT)


def downgrade() -> None:
    op.execute("DROP TRIGGER grid_kept ON grid")
    op.execute("DROP TRIGGER assignment_kept ON assignment")
    op.execute("DROP FUNCTION gis_keep_grids(), gis_check_assignment()")
    for table in ("building", "household"):
        op.alter_column(table, "base_grid_id", comment=None)
        op.create_index(f"ix_{table}_base_grid", table, ["base_grid_id"])
        op.create_foreign_key(
            op.f(f"fk_{table}_base_grid_id"), table, "grid", ["base_grid_id"], ["grid_id"]
        )
    op.drop_constraint(op.f("pk_assignment"), "assignment")
    op.drop_column("assignment", "since")
    op.create_table_comment(
        "assignment",
        "Which grid an object belonged to, from when to when; at most one open row an object.",
    )
    op.create_primary_key(
        op.f("pk_assignment"), "assignment", ["scheme_id", "object_kind", "object_id", "valid"]
    )
    op.create_index(
        "uq_assignment_open",
        "assignment",
        ["scheme_id", "object_kind", "object_id"],
        unique=True,
        postgresql_where=sa.text("upper_inf(valid)"),
    )
    for column in ("nearest_grid_id", "grid_id"):
        op.create_foreign_key(
            op.f(f"fk_assignment_{column}_scheme_id"),
            "assignment",
            "grid",
            [column, "scheme_id"],
            ["grid_id", "scheme_id"],
        )
    for table in ("assignment", "household", "building"):
        op.execute(f"ALTER TABLE {table} RESET (fillfactor)")
