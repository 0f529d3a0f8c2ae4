"""
What imports by file need: what was matched and how much was new, beside each import.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        'import_record',
        sa.Column(
            'details',
            JSONB,
            nullable=False,
            server_default='{}',
            comment='counts, key column, matched columns, encoding and layer of a file',
        ),
    )


def downgrade() -> None:
    op.drop_column('import_record', 'details')
