"""
Answers of jobs that draw the grids of a town or the county anew.

Revision ID: 0023
Revises: 0022
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "proposal",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "draft_mark",
            sa.Text(),
            nullable=False,
            comment="of the draft that was asked about",
        ),
        sa.Column(
            "answer",
            postgresql.JSONB(),
            nullable=False,
            comment="costs, and changed grids for the eye",
        ),
        sa.Column(
            "edits",
            postgresql.JSONB(),
            nullable=False,
            comment="by name of the answer, with all its land",
        ),
        sa.ForeignKeyConstraint(
            ["job_id"], ["job.job_id"], name=op.f("fk_proposal_job_id"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.plan_id"], name=op.f("fk_proposal_plan_id")
        ),
        sa.PrimaryKeyConstraint("job_id", name=op.f("pk_proposal")),
        comment="Grids of a town or the county drawn anew by a job, and gone with it.",
    )
    op.create_index("ix_proposal_plan", "proposal", ["plan_id"])


def downgrade() -> None:
    op.drop_table("proposal")
