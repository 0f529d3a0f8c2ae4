"""
Plans of new boundaries.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

PLAN_NOTICE = """
CREATE FUNCTION gis_tell_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gis_plan', NEW.plan_id || ':' || NEW.rev);
    RETURN NULL;
END $$;
CREATE TRIGGER plan_told AFTER INSERT OR UPDATE ON plan
    FOR EACH ROW EXECUTE FUNCTION gis_tell_plan();
"""


def upgrade() -> None:
    op.create_table(
        "plan",
        sa.Column("plan_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("scheme_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "base_version_id",
            sa.BigInteger(),
            nullable=False,
            comment="what the edits are drawn on; a newer one where both touch different grids",
        ),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.Text(), server_default="draft", nullable=False),
        sa.Column(
            "rev", sa.Integer(), server_default="1", nullable=False, comment="one more each edit"
        ),
        sa.Column("author_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.Column(
            "reasons",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default="{}",
            nullable=False,
            comment="why a warning is accepted",
        ),
        sa.Column("version_id", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("title <> ''", name=op.f("ck_plan_title_not_empty")),
        sa.CheckConstraint("rev >= 1", name=op.f("ck_plan_rev_from_one")),
        sa.CheckConstraint(
            "(status IN ('published', 'withdrawn')) = (version_id IS NOT NULL)",
            name=op.f("ck_plan_published_has_version"),
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'in_review', 'approved', 'published', 'withdrawn', 'discarded')",
            name=op.f("ck_plan_status_known"),
        ),
        sa.ForeignKeyConstraint(
            ["scheme_id"], ["grid_scheme.scheme_id"], name=op.f("fk_plan_scheme_id")
        ),
        sa.ForeignKeyConstraint(
            ["base_version_id"], ["grid_version.version_id"], name=op.f("fk_plan_base_version_id")
        ),
        sa.ForeignKeyConstraint(["author_id"], ["actor.actor_id"], name=op.f("fk_plan_author_id")),
        sa.ForeignKeyConstraint(
            ["version_id"], ["grid_version.version_id"], name=op.f("fk_plan_version_id")
        ),
        sa.PrimaryKeyConstraint("plan_id", name=op.f("pk_plan")),
        comment="A redraw on its way: edits on a base version, judged by another than their"
        " author.",
    )
    op.create_index("ix_plan_status", "plan", ["status"])
    op.create_table(
        "plan_edit",
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "edit",
            postgresql.JSONB(astext_type=sa.Text()),
            nullable=False,
            comment="as it is done again: with key and region",
        ),
        sa.Column(
            "touched",
            postgresql.ARRAY(sa.Text()),
            nullable=False,
            comment="keys of grids with other land",
        ),
        sa.Column("state", sa.Text(), server_default="done", nullable=False),
        sa.Column(
            "rev", sa.Integer(), nullable=False, comment="of the plan when its state changed"
        ),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint(
            "state IN ('done', 'undone', 'dropped')", name=op.f("ck_plan_edit_state_known")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.plan_id"], name=op.f("fk_plan_edit_plan_id")),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actor.actor_id"], name=op.f("fk_plan_edit_actor_id")
        ),
        sa.PrimaryKeyConstraint("plan_id", "seq", name=op.f("pk_plan_edit")),
        comment="Change sets in their order; a draft is made of those that are done.",
    )
    op.create_table(
        "plan_comment",
        sa.Column("comment_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("text", sa.Text(), nullable=False),
        sa.CheckConstraint("text <> ''", name=op.f("ck_plan_comment_text_not_empty")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["plan.plan_id"], name=op.f("fk_plan_comment_plan_id")
        ),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actor.actor_id"], name=op.f("fk_plan_comment_actor_id")
        ),
        sa.PrimaryKeyConstraint("comment_id", name=op.f("pk_plan_comment")),
    )
    op.create_index("ix_plan_comment_plan", "plan_comment", ["plan_id"])
    op.create_table(
        "plan_review",
        sa.Column("review_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("plan_id", sa.BigInteger(), nullable=False),
        sa.Column("actor_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("rev", sa.Integer(), nullable=False, comment="what was judged"),
        sa.CheckConstraint(
            "decision IN ('submitted', 'approved', 'rejected', 'published', 'withdrawn',"
            " 'discarded')",
            name=op.f("ck_plan_review_decision_known"),
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.plan_id"], name=op.f("fk_plan_review_plan_id")),
        sa.ForeignKeyConstraint(
            ["actor_id"], ["actor.actor_id"], name=op.f("fk_plan_review_actor_id")
        ),
        sa.PrimaryKeyConstraint("review_id", name=op.f("pk_plan_review")),
        comment="Who decided what on a plan, and why.",
    )
    op.create_index("ix_plan_review_plan", "plan_review", ["plan_id"])
    op.create_table(
        "version_withdrawal",
        sa.Column("version_id", sa.BigInteger(), nullable=False),
        sa.Column("withdraws_id", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "version_id <> withdraws_id", name=op.f("ck_version_withdrawal_not_itself")
        ),
        sa.ForeignKeyConstraint(
            ["version_id"],
            ["grid_version.version_id"],
            name=op.f("fk_version_withdrawal_version_id"),
        ),
        sa.ForeignKeyConstraint(
            ["withdraws_id"],
            ["grid_version.version_id"],
            name=op.f("fk_version_withdrawal_withdraws_id"),
        ),
        sa.PrimaryKeyConstraint("version_id", name=op.f("pk_version_withdrawal")),
        sa.UniqueConstraint("withdraws_id", name=op.f("uq_version_withdrawal_withdraws_id")),
        comment="Which version takes back which.",
    )
    op.execute(PLAN_NOTICE)


def downgrade() -> None:
    op.execute("DROP TRIGGER plan_told ON plan; DROP FUNCTION gis_tell_plan()")
    for table in ("version_withdrawal", "plan_review", "plan_comment", "plan_edit", "plan"):
        op.drop_table(table)
