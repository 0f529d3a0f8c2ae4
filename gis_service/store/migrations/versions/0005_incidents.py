"""
An incident's life: its steps, its photos, requests that wait for a place, and the working days.

Revision ID: 0005
Revises: 0004
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects import postgresql

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None

STEPS = """
CREATE FUNCTION gis_actor_id() RETURNS bigint LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('gis.actor_id', true), '')::bigint, 1)
$$;
CREATE FUNCTION gis_actor_role() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(nullif(current_setting('gis.actor_role', true), ''), 'county_office')
$$;

CREATE FUNCTION gis_incident_begins() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('gis.step_follows', true) = 'on' THEN
        RETURN NULL;
    END IF;
    INSERT INTO incident_step (incident_id, seq, actor_id, actor_role, move, from_state, to_state,
                               tier, department, officer_id, officer_post)
    SELECT incident_id, version, gis_actor_id(), gis_actor_role(), 'import', NULL, status,
           tier, department, officer_id, officer_post
    FROM fresh ORDER BY incident_id;
    RETURN NULL;
END $$;
CREATE TRIGGER incident_begins AFTER INSERT ON incident
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION gis_incident_begins();

CREATE FUNCTION gis_incident_goes_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('gis.step_follows', true) = 'on' THEN
        RETURN NEW;
    END IF;
    NEW.version := OLD.version + 1;
    INSERT INTO incident_step (incident_id, seq, actor_id, actor_role, move, from_state, to_state,
                               tier, department, officer_id, officer_post)
    VALUES (NEW.incident_id, NEW.version, gis_actor_id(), gis_actor_role(), 'import', OLD.status,
            NEW.status, NEW.tier, NEW.department, NEW.officer_id, NEW.officer_post);
    RETURN NEW;
END $$;
CREATE TRIGGER incident_goes_on BEFORE UPDATE ON incident
    FOR EACH ROW WHEN (OLD.status IS DISTINCT FROM NEW.status)
    EXECUTE FUNCTION gis_incident_goes_on();

CREATE TRIGGER incident_step_append_only BEFORE UPDATE OR DELETE ON incident_step
    FOR EACH ROW EXECUTE FUNCTION gis_refuse_change();
CREATE TRIGGER incident_step_not_truncated BEFORE TRUNCATE ON incident_step
    FOR EACH STATEMENT EXECUTE FUNCTION gis_refuse_change();
CREATE TRIGGER incident_photo_append_only BEFORE UPDATE OR DELETE ON incident_photo
    FOR EACH ROW EXECUTE FUNCTION gis_refuse_change();

CREATE FUNCTION gis_tell_incident() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gis_incident', '');
    RETURN NULL;
END $$;
CREATE TRIGGER incident_step_told AFTER INSERT ON incident_step
    FOR EACH STATEMENT EXECUTE FUNCTION gis_tell_incident();

REVOKE UPDATE, DELETE, TRUNCATE ON incident_step FROM gis_service;
REVOKE UPDATE, DELETE, TRUNCATE ON incident_photo FROM gis_service;

INSERT INTO incident_step (incident_id, seq, actor_id, actor_role, move, from_state, to_state, tier)
SELECT incident_id, version, 1, 'county_office', 'import', NULL, status, tier
FROM incident ORDER BY incident_id;
"""


def upgrade() -> None:
    op.create_table('incident_intake',
    sa.Column('token', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('draft', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='the report; personal'),
    sa.Column('incident_id', sa.BigInteger(), nullable=True, comment='once somebody has placed it'),
    sa.PrimaryKeyConstraint('token', name=op.f('pk_incident_intake')),
    comment='Reports with an address that nobody has found on the map yet.'
    )
    op.create_table('incident_photo',
    sa.Column('incident_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False, comment='of the cleaned picture; its file name'),
    sa.Column('width', sa.Integer(), nullable=False),
    sa.Column('height', sa.Integer(), nullable=False),
    sa.Column('bytes', sa.Integer(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name=op.f('ck_incident_photo_sha256_form')),
    sa.PrimaryKeyConstraint('incident_id', 'sha256', name=op.f('pk_incident_photo')),
    comment='Photos in the data folder, without anything but the picture itself.'
    )
    op.create_table('incident_request',
    sa.Column('actor_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('body_sha256', sa.Text(), nullable=False),
    sa.Column('incident_id', sa.BigInteger(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.PrimaryKeyConstraint('actor_id', 'key', name=op.f('pk_incident_request')),
    comment='Idempotency keys: the same request sent twice makes one incident.'
    )
    op.create_table('incident_step',
    sa.Column('step_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('incident_id', sa.BigInteger(), nullable=False, comment='stays when the incident goes'),
    sa.Column('seq', sa.Integer(), nullable=False, comment='1, 2, 3 … within the incident'),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('xid', sa.BigInteger(), server_default=sa.text('(pg_current_xact_id()::text)::bigint'), nullable=False, comment='of the transaction: whoever watches can tell what was not committed yet'),
    sa.Column('actor_id', sa.BigInteger(), nullable=False),
    sa.Column('actor_role', sa.Text(), nullable=False),
    sa.Column('move', sa.Text(), nullable=False),
    sa.Column('from_state', sa.Text(), nullable=True),
    sa.Column('to_state', sa.Text(), nullable=False),
    sa.Column('tier', sa.Text(), nullable=False),
    sa.Column('department', sa.Text(), server_default='', nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('officer_id', sa.BigInteger(), nullable=True),
    sa.Column('officer_post', sa.Text(), nullable=True),
    sa.Column('due_on', sa.Date(), nullable=True, comment='the deadline as it was told at this step'),
    sa.Column('due_provisional', sa.Boolean(), nullable=True),
    sa.Column('late', sa.Boolean(), nullable=True, comment='whether this step came after its deadline'),
    sa.Column('duplicate_of', sa.BigInteger(), nullable=True),
    sa.Column('photos', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False, comment='SHA-256'),
    sa.Column('place', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry'), nullable=True),
    sa.CheckConstraint("tier IN ('village', 'town', 'county')", name=op.f('ck_incident_step_tier_known')),
    sa.CheckConstraint("to_state IN ('reported', 'accepted', 'dispatched', 'handled', 'verified', 'closed', 'returned')", name=op.f('ck_incident_step_to_state_known')),
    sa.PrimaryKeyConstraint('step_id', name=op.f('pk_incident_step')),
    sa.UniqueConstraint('incident_id', 'seq', name=op.f('uq_incident_step_incident_id_seq')),
    comment='Who did what to an incident, when and from where; a trigger refuses every change.'
    )
    op.create_index('ix_incident_step_actor', 'incident_step', ['actor_id'], unique=False)
    op.create_index('ix_incident_step_xid', 'incident_step', ['xid'], unique=False)
    op.create_table('working_day_override',
    sa.Column('day', sa.Date(), nullable=False),
    sa.Column('is_working', sa.Boolean(), nullable=False),
    sa.Column('reason', sa.Text(), server_default='', nullable=False),
    sa.PrimaryKeyConstraint('day', name=op.f('pk_working_day_override')),
    comment='Days that the county counts otherwise than the published calendar.'
    )
    op.create_table('working_year',
    sa.Column('year', sa.SmallInteger(), autoincrement=False, nullable=False),
    sa.Column('reason', sa.Text(), server_default='', nullable=False),
    sa.PrimaryKeyConstraint('year', name=op.f('pk_working_year')),
    comment='Years whose holidays the county has entered whole: no longer provisional.'
    )
    op.add_column('incident', sa.Column('reporter_email', sa.Text(), server_default='', nullable=False))
    op.add_column('incident', sa.Column('address', sa.Text(), server_default='', nullable=False, comment='as it was said'))
    op.add_column('incident', sa.Column('channel', sa.Text(), server_default='import', nullable=False))
    op.add_column('incident', sa.Column('tier', sa.Text(), server_default='village', nullable=False, comment='who holds it'))
    op.add_column('incident', sa.Column('department', sa.Text(), server_default='', nullable=False))
    op.add_column('incident', sa.Column('clock_from', sa.DateTime(timezone=True), nullable=True, comment='from when the deadline counts, once another tier has it; NULL: reported_at'))
    op.add_column('incident', sa.Column('returns', sa.SmallInteger(), server_default='0', nullable=False))
    op.add_column('incident', sa.Column('version', sa.Integer(), server_default='1', nullable=False, comment='the last step'))
    op.add_column('incident', sa.Column('officer_id', sa.BigInteger(), nullable=True, comment='responsible; officers come and go, no key'))
    op.add_column('incident', sa.Column('officer_post', sa.Text(), nullable=True, comment='A or B of the base grid'))
    op.add_column('incident', sa.Column('media_url', sa.Text(), server_default='', nullable=False, comment='never fetched'))
    op.add_column('incident', sa.Column('details', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False, comment='answers by code'))
    op.create_index('ix_incident_kind', 'incident', ['kind'], unique=False)
    op.create_index('ix_incident_open', 'incident', ['status'], unique=False, postgresql_where=sa.text("status <> 'closed'"))
    op.create_check_constraint(op.f('ck_incident_channel_known'), 'incident', "channel IN ('page', 'api', 'import', 'open311')")
    op.create_check_constraint(op.f('ck_incident_tier_known'), 'incident', "tier IN ('village', 'town', 'county')")
    op.create_check_constraint(op.f('ck_incident_officer_post_known'), 'incident', "officer_post IN ('A', 'B')")
    op.create_check_constraint(op.f('ck_incident_returns_not_negative'), 'incident', 'returns >= 0')
    op.create_check_constraint(op.f('ck_incident_version_from_one'), 'incident', 'version >= 1')
    run(STEPS)


def run(text: str) -> None:
    """Run SQL that is text, with its colons and per cent signs as they stand."""
    cursor = op.get_bind().connection.cursor()
    try:
        cursor.execute(text)
    finally:
        cursor.close()


def downgrade() -> None:
    """Steps are never deleted, so there is no way back: restore a backup instead."""
    raise NotImplementedError
