"""
Records entered by hand: the last changes.

Revision ID: 0007
Revises: 0006
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = '0007'
down_revision = '0006'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table('entry_change',
    sa.Column('change_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=False),
    sa.Column('request_key', sa.Text(), nullable=False, comment='a second one is the same request'),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('object_kind', sa.Text(), nullable=False),
    sa.Column('object_id', sa.BigInteger(), nullable=False),
    sa.Column('version', sa.Text(), nullable=True, comment='of the row after the change'),
    sa.Column('undone', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('before', postgresql.JSONB(astext_type=sa.Text()), nullable=True, comment='the row as it was, to undo the change; emptied when the time for that is over'),
    sa.ForeignKeyConstraint(['actor_id'], ['actor.actor_id'], name=op.f('fk_entry_change_actor_id')),
    sa.PrimaryKeyConstraint('change_id', name=op.f('pk_entry_change')),
    sa.UniqueConstraint('actor_id', 'request_key', name=op.f('uq_entry_change_actor_id_request_key')),
    comment='The last changes by hand: against sending twice, and to take one back.'
    )
    op.create_index('ix_entry_change_at', 'entry_change', ['at'], unique=False)


def downgrade() -> None:
    op.drop_table('entry_change')
