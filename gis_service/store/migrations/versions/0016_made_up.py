"""
Whether the people of a store are made up, and the administrator of one whose people are real.

Revision ID: 0016
Revises: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "made_up",
        sa.Column("one", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column(
            "at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.CheckConstraint("one", name=op.f("ck_made_up_one_row")),
        sa.PrimaryKeyConstraint("one", name=op.f("pk_made_up")),
        comment="Its one row says that all people here are made up: anybody may pick who to be.",
    )
    # The demo county of before is known by the file that its loader alone takes in.
    op.execute(
        "INSERT INTO made_up (one) SELECT DISTINCT true FROM import_record"
        " WHERE source_name = 'demo_county.geojson.gz' AND actor_id = 1"
    )
    op.execute(
        "INSERT INTO actor (actor_id, name, name_en, role)"
        " VALUES (-1, '管理员', 'Administrator', 'county_office')"
    )


def downgrade() -> None:
    op.drop_table("made_up")
    op.execute("DELETE FROM actor WHERE actor_id = -1")
