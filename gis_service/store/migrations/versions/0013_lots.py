"""
Objects that move from grid to grid together are a lot: a publication writes the lot, not each.

Revision ID: 0013
Revises: 0012
"""

import sqlalchemy as sa
from alembic import context, op
from sqlalchemy.dialects.postgresql import DATERANGE, ExcludeConstraint

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

LOTS = """
CREATE VIEW assignment AS
SELECT member.scheme_id, member.object_kind, member.object_id, span.valid, lot_grid.grid_id,
       member.method, member.nearest_grid_id, member.distance_m
FROM membership AS member
LEFT JOIN lot_grid ON lot_grid.lot_id = member.lot_id AND lot_grid.valid && member.valid
CROSS JOIN LATERAL (SELECT member.valid * coalesce(lot_grid.valid, member.valid)) AS span (valid);
COMMENT ON VIEW assignment IS
    'Which grid an object belonged to, from when to when: its lots, with their grids.';

CREATE OR REPLACE FUNCTION gis_check_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    -- planned anew each time: one row and half a million want different ways
    EXECUTE $sql$
        SELECT format('lot %s of scheme %s', named.lot_id, named.scheme_id)
        FROM (SELECT lot_id, scheme_id FROM fresh GROUP BY lot_id, scheme_id) AS named
        LEFT JOIN lot USING (lot_id, scheme_id)
        WHERE named.lot_id IS NOT NULL AND lot.lot_id IS NULL
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
                  CONSTRAINT = 'membership_names_a_lot';
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
    -- where a lot belongs to a grid its foreign key speaks
    IF EXISTS (SELECT FROM gone JOIN membership ON membership.nearest_grid_id = gone.grid_id) THEN
        RAISE EXCEPTION 'objects are assigned to a grid that is deleted'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'membership',
                  CONSTRAINT = 'membership_names_a_grid';
    END IF;
    RETURN NULL;
END $$;
"""

_RENAMED = ("object_kind_known", "method_known", "outside_names_nearest", "valid_not_empty")


def upgrade() -> None:
    op.create_table(
        "lot",
        sa.Column("lot_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scheme_id", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["scheme_id"], ["grid_scheme.scheme_id"], name=op.f("fk_lot_scheme_id")
        ),
        sa.PrimaryKeyConstraint("lot_id", name=op.f("pk_lot")),
        sa.UniqueConstraint("lot_id", "scheme_id", name=op.f("uq_lot_lot_id_scheme_id")),
        comment="Objects that go from grid to grid together.",
    )
    op.create_table(
        "lot_grid",
        sa.Column("lot_id", sa.BigInteger(), nullable=False),
        sa.Column("scheme_id", sa.BigInteger(), nullable=False),
        sa.Column("grid_id", sa.BigInteger(), nullable=False),
        sa.Column("valid", DATERANGE(), nullable=False),
        sa.CheckConstraint("NOT isempty(valid)", name=op.f("ck_lot_grid_valid_not_empty")),
        sa.PrimaryKeyConstraint("lot_id", "valid", name=op.f("pk_lot_grid")),
        sa.ForeignKeyConstraint(
            ["lot_id", "scheme_id"],
            ["lot.lot_id", "lot.scheme_id"],
            name=op.f("fk_lot_grid_lot_id_scheme_id"),
        ),
        sa.ForeignKeyConstraint(
            ["grid_id", "scheme_id"],
            ["grid.grid_id", "grid.scheme_id"],
            name=op.f("fk_lot_grid_grid_id_scheme_id"),
        ),
        ExcludeConstraint(
            (sa.column("lot_id"), "="),
            (sa.column("valid"), "&&"),
            name="ex_lot_grid_lot_valid",
            using="gist",
        ),
        comment="Which grid a lot belonged to, from when to when: from ever to ever without a gap.",
    )
    op.create_index("ix_lot_grid_grid", "lot_grid", ["grid_id"])
    # What is assigned to a grid so far is a lot, by the grid's own number.
    op.execute(
        "INSERT INTO lot (lot_id, scheme_id)"
        " SELECT DISTINCT grid_id, scheme_id FROM assignment WHERE grid_id IS NOT NULL"
    )
    op.execute(
        "INSERT INTO lot_grid (lot_id, scheme_id, grid_id, valid)"
        " SELECT lot_id, scheme_id, lot_id, daterange(NULL, NULL) FROM lot"
    )
    op.execute(
        "SELECT setval(pg_get_serial_sequence('lot', 'lot_id'), max(lot_id)) FROM lot"
        " HAVING max(lot_id) IS NOT NULL"
    )
    op.rename_table("assignment", "membership")
    op.alter_column("membership", "grid_id", new_column_name="lot_id")
    op.execute("ALTER INDEX ix_assignment_grid RENAME TO ix_membership_lot")
    op.execute("ALTER INDEX pk_assignment RENAME TO pk_membership")
    for name in _RENAMED:
        _rename_check("membership", f"ck_assignment_{name}", f"ck_membership_{name}")
    _rename_check(
        "membership", "ck_assignment_outside_has_no_grid", "ck_membership_outside_has_no_lot"
    )
    op.create_table_comment(
        "membership",
        "Which lot an object belonged to, from when to when; an object's rows never overlap.",
    )
    op.execute("ALTER TRIGGER assignment_kept ON membership RENAME TO membership_kept")
    op.execute(LOTS)
    op.execute(
        "CREATE TRIGGER assignment_counted AFTER INSERT OR DELETE OR UPDATE ON lot_grid"
        " FOR EACH STATEMENT EXECUTE FUNCTION gis_count_change('assignment')"
    )


def downgrade() -> None:
    op.execute("CREATE TEMPORARY TABLE was ON COMMIT DROP AS SELECT * FROM assignment")
    op.execute("DROP VIEW assignment")
    op.execute("DROP TRIGGER grid_kept ON grid")
    op.execute("DROP TRIGGER membership_kept ON membership")
    op.execute("DROP FUNCTION gis_keep_grids(), gis_check_assignment()")
    op.execute("TRUNCATE membership")
    for name in _RENAMED:
        _rename_check("membership", f"ck_membership_{name}", f"ck_assignment_{name}")
    _rename_check(
        "membership", "ck_membership_outside_has_no_lot", "ck_assignment_outside_has_no_grid"
    )
    op.execute("ALTER INDEX pk_membership RENAME TO pk_assignment")
    op.execute("ALTER INDEX ix_membership_lot RENAME TO ix_assignment_grid")
    op.alter_column("membership", "lot_id", new_column_name="grid_id")
    op.rename_table("membership", "assignment")
    op.create_table_comment(
        "assignment",
        "Which grid an object belonged to, from when to when; an object's rows never overlap.",
    )
    names = (
        "scheme_id, object_kind, object_id, valid, grid_id, method, nearest_grid_id, distance_m"
    )
    op.execute(f"INSERT INTO assignment ({names}) SELECT {names} FROM was")
    op.drop_table("lot_grid")
    op.drop_table("lot")
    op.execute(context.script.get_revision("0012").module.ASSIGNMENT_KEPT)


def _rename_check(table: str, old: str, new: str) -> None:
    op.execute(f"ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}")
