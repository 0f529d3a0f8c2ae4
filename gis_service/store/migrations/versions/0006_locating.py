"""
The rule of a point's grid without rounding errors.

Revision ID: 0006
Revises: 0005
"""

from alembic import op

from gis_service.store import functions

revision = '0006'
down_revision = '0005'
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(functions.HOLDS)
    op.execute(functions.GRID_AT_EXACT)


def downgrade() -> None:
    op.execute(functions.GRID_AT.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'))
    op.execute('DROP FUNCTION gis_holds(geometry, geometry)')
