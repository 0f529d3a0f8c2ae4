"""
Count changes of officers, duties, leaves, roads' nodes and turns, on which answers stand too.

Revision ID: 0017
Revises: 0016
"""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

TABLES = ("grid", "grid_duty", "leave", "officer", "road_node", "road_turn")


def upgrade() -> None:
    for table in TABLES:
        for name, event in (("counted", "INSERT OR DELETE OR UPDATE"), ("emptied", "TRUNCATE")):
            op.execute(
                f"CREATE TRIGGER {table}_{name} AFTER {event} ON {table}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION gis_count_change('{table}')"
            )


def downgrade() -> None:
    for table in TABLES:
        for name in ("counted", "emptied"):
            op.execute(f"DROP TRIGGER {table}_{name} ON {table}")
