"""
Coverage in depth: figures of more than households, and what a run was measured on.

Revision ID: 0008
Revises: 0007
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "coverage_run",
        sa.Column(
            "inputs",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="digests of what it was measured on by part, and how often each had changed",
        ),
    )
    op.add_column(
        "coverage_figure",
        sa.Column("of", sa.Text(), server_default="households", nullable=False),
    )
    op.drop_constraint("pk_coverage_figure", "coverage_figure", type_="primary")
    op.create_primary_key(
        "pk_coverage_figure", "coverage_figure", ["run_id", "rank", "grid_id", "kind", "of"]
    )
    op.create_check_constraint(
        op.f("ck_coverage_figure_of_known"),
        "coverage_figure",
        "of IN ('households', 'people', 'care_households', 'buildings', 'premises', 'hazards')",
    )
    op.create_table_comment(
        "coverage_figure",
        "rank 0 is the county (grid_id 0); of other things than households n > 0 only.",
        existing_comment="rank 0 is the county (grid_id 0).",
    )


def downgrade() -> None:
    op.create_table_comment(
        "coverage_figure",
        "rank 0 is the county (grid_id 0).",
        existing_comment="rank 0 is the county (grid_id 0); of other things than households"
        " n > 0 only.",
    )
    op.execute("DELETE FROM coverage_figure WHERE of <> 'households'")
    op.drop_constraint(op.f("ck_coverage_figure_of_known"), "coverage_figure", type_="check")
    op.drop_constraint("pk_coverage_figure", "coverage_figure", type_="primary")
    op.drop_column("coverage_figure", "of")
    op.create_primary_key(
        "pk_coverage_figure", "coverage_figure", ["run_id", "rank", "grid_id", "kind"]
    )
    op.drop_column("coverage_run", "inputs")
