"""
Search by name: entries, house numbers, and triggers that tell what is out of date.

Revision ID: 0004
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None

_WATCHED = (
    ("building", "houses", "OF name, address, point"),
    ("building", "building", "OF name, address, point"),
    ("household", "houses", "OF street, house_number, group_number, building_id, point"),
    ("premises", "premises", "OF name, kind, point"),
    ("facility", "facility", "OF name, kind, address, point"),
    ("officer", "officer", "OF name, valid"),
    ("grid_duty", "officer", ""),
    ("grid_state", "grid", ""),
    ("grid_state", "officer", ""),
    ("admin_unit", "unit", ""),
    ("road_network", "road", ""),
)
"""Table, the kind of entries made from it, and which of its columns matter in an update."""

_FUNCTION = """
CREATE FUNCTION gis_note_search_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_change (kind) VALUES (TG_ARGV[0]);
    RETURN NULL;
END $$;
INSERT INTO search_change (kind)
VALUES ('houses'), ('building'), ('premises'), ('facility'), ('officer'), ('grid'), ('unit'),
       ('road');
"""

_TRIGGER = """
CREATE TRIGGER search_{kind} AFTER INSERT OR DELETE OR UPDATE {columns} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION gis_note_search_change('{kind}');
"""

CHANGES = _FUNCTION + "".join(
    _TRIGGER.format(table=table, kind=kind, columns=columns) for table, kind, columns in _WATCHED
)


def upgrade() -> None:
    point = Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False)
    op.create_table('search_entry',
    sa.Column('entry_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('object_id', sa.BigInteger(), nullable=True),
    sa.Column('scheme_id', sa.BigInteger(), nullable=True, comment='of a grid; NULL for all that is of no scheme'),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('detail', sa.Text(), server_default='', nullable=False),
    sa.Column('named', sa.Text(), nullable=False, comment='the name as names are compared'),
    sa.Column('words', sa.Text(), nullable=False, comment='the same with what stands around it'),
    sa.Column('syllables', sa.Text(), nullable=False, comment='pinyin of words'),
    sa.Column('joined', sa.Text(), nullable=False, comment='pinyin of words without blanks'),
    sa.Column('spelt', sa.Text(), nullable=False, comment='pinyin of the name without blanks'),
    sa.Column('initials', sa.Text(), nullable=False, comment='of the name'),
    sa.Column('weight', sa.REAL(), nullable=False),
    sa.Column('grid_id', sa.BigInteger(), nullable=True),
    sa.Column('point', point, nullable=False),
    sa.PrimaryKeyConstraint('entry_id', name=op.f('pk_search_entry')),
    comment="What can be found by name; made from the other tables, officers' entries are read through access.visible only."
    )
    op.create_index('ix_search_entry_kind', 'search_entry', ['kind'], unique=False)
    for column in ('words', 'syllables', 'joined'):
        op.create_index(f'ix_search_entry_{column}', 'search_entry', [column], unique=False, postgresql_using='gin', postgresql_ops={column: 'gin_trgm_ops'})
    op.create_table('search_house',
    sa.Column('house_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('street', sa.Text(), nullable=False, comment='as names are compared'),
    sa.Column('group_number', sa.Integer(), nullable=True),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('address', sa.Text(), nullable=False),
    sa.Column('building_id', sa.BigInteger(), nullable=True),
    sa.Column('point', point, nullable=False),
    sa.PrimaryKeyConstraint('house_id', name=op.f('pk_search_house')),
    comment='House numbers by street or village; no person stands here.'
    )
    op.create_index('ix_search_house_street', 'search_house', ['street', 'number'], unique=False)
    op.create_table('search_change',
    sa.Column('change_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('change_id', name=op.f('pk_search_change')),
    comment='Which kinds of entries are out of date: triggers write, the worker makes them anew.'
    )
    run(CHANGES)


def run(text: str) -> None:
    """Run SQL that is text, with its colons and per cent signs as they stand."""
    cursor = op.get_bind().connection.cursor()
    try:
        cursor.execute(text)
    finally:
        cursor.close()


def downgrade() -> None:
    raise NotImplementedError
