"""
Assignments and today's copies are written in place; what they name is checked by the statement.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from gis_service.store import functions

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

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
    op.execute(functions.ASSIGNMENT_KEPT)


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
