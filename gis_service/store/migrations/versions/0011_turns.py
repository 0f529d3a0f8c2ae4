"""
Turn restrictions of a road network.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "road_turn",
        sa.Column("network_id", sa.BigInteger(), nullable=False),
        sa.Column("turn_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "relation_id", sa.BigInteger(), nullable=False, comment="of the source, such as OSM"
        ),
        sa.Column("kind", sa.Text(), nullable=False, comment="as the source has it: no_left_turn"),
        sa.Column("from_edge", sa.BigInteger(), nullable=True),
        sa.Column("via_node", sa.BigInteger(), nullable=True),
        sa.Column("to_edge", sa.BigInteger(), nullable=True),
        sa.Column("why_not", sa.Text(), nullable=True, comment="NULL: it is applied"),
        sa.CheckConstraint("kind ~ '^(no|only)_'", name=op.f("ck_road_turn_kind_known")),
        sa.CheckConstraint(
            "why_not IN ('via_way', 'conditional', 'vehicle', 'excepted', 'unclear', 'not_here')",
            name=op.f("ck_road_turn_reason_known"),
        ),
        sa.CheckConstraint(
            "why_not IS NOT NULL OR num_nulls(from_edge, via_node, to_edge) = 0",
            name=op.f("ck_road_turn_whole_or_why"),
        ),
        sa.ForeignKeyConstraint(
            ["network_id"],
            ["road_network.network_id"],
            name=op.f("fk_road_turn_network_id_road_network"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("network_id", "turn_number", name=op.f("pk_road_turn")),
    )


def downgrade() -> None:
    op.drop_table("road_turn")
