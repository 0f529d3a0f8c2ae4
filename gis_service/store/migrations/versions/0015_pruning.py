"""
Changes of the data that are long past are kept as a number; empty tiles are not kept.

Revision ID: 0015
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0013"
branch_labels = None
depends_on = None

_TRIGGER = (
    "DROP TRIGGER search_houses ON household;"
    " CREATE TRIGGER search_houses AFTER INSERT OR DELETE OR UPDATE OF {columns} ON household"
    " FOR EACH STATEMENT EXECUTE FUNCTION gis_note_search_change('houses')"
)


def upgrade() -> None:
    op.create_table(
        "data_count",
        sa.Column("name", sa.Text(), nullable=False, comment="of the table that changed"),
        sa.Column("n", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_data_count")),
        comment="How many rows of data_change were taken out; they are counted still.",
    )
    op.execute("DELETE FROM tile WHERE body = ''")
    op.alter_column(
        "tile", "body", comment="MVT by gzip", existing_comment="MVT by gzip; empty: nothing there"
    )
    op.create_table_comment(
        "tile", "Vector tiles that were cut before and hold something. Never a household."
    )
    op.create_index("ix_coverage_run_job", "coverage_run", ["job_id"])
    op.create_index("ix_incident_request_at", "incident_request", ["at"])
    columns = "street, house_number, group_number, building_id, point"
    op.execute(_TRIGGER.format(columns=columns))
    op.execute("INSERT INTO search_change (kind) VALUES ('houses')")


def downgrade() -> None:
    op.execute(_TRIGGER.format(columns="street, house_number, group_number, point"))
    op.drop_index("ix_incident_request_at", "incident_request")
    op.drop_index("ix_coverage_run_job", "coverage_run")
    op.create_table_comment("tile", "Vector tiles that were cut before. Never a household.")
    op.alter_column(
        "tile", "body", comment="MVT by gzip; empty: nothing there", existing_comment="MVT by gzip"
    )
    # The numbers stay right: each change that was taken out is a row again.
    op.execute(
        "INSERT INTO data_change (name, at, xid)"
        " SELECT name, timestamptz '2000-01-01', generate_series(1, n) FROM data_count"
    )
    op.drop_table("data_count")
