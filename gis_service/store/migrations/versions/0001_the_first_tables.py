"""
The first tables, the functions and triggers that guard them, and the job queue's own tables.

Revision ID: 0001
Revises:
"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from procrastinate.schema import SchemaManager
from sqlalchemy.dialects import postgresql

revision = '0001'
down_revision = None
branch_labels = None
depends_on = None

TODAY = """
CREATE FUNCTION gis_today() RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('gis.today', true), '')::date,
                    (now() AT TIME ZONE 'Asia/Shanghai')::date)
$$;
COMMENT ON FUNCTION gis_today() IS
    'The day in Asia/Shanghai; the setting gis.today replays another day.';
"""

GRID_AT = """
CREATE FUNCTION gis_grid_at(place geometry, scheme text DEFAULT 'base', on_day date DEFAULT NULL)
RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT min(state.grid_id)
    FROM grid_state AS state
    JOIN grid_scheme USING (scheme_id)
    WHERE grid_scheme.code = scheme
      AND state.rank = (SELECT max(rank) FROM grid_level
                        WHERE grid_level.scheme_id = grid_scheme.scheme_id AND tessellates)
      AND state.valid @> coalesce(on_day, gis_today())
      AND ST_Intersects(state.geom, place)
$$;
COMMENT ON FUNCTION gis_grid_at(geometry, text, date) IS
    'The grid that answers for a place on a day: the one that holds it, on a border the lowest id.';
"""

APPEND_ONLY = """
CREATE FUNCTION gis_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION gis_refuse_change();
CREATE TRIGGER event_not_truncated BEFORE TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION gis_refuse_change();
CREATE TRIGGER grid_code_kept BEFORE UPDATE OR DELETE ON grid_code
    FOR EACH ROW EXECUTE FUNCTION gis_refuse_change();
"""

VERSION_NOTICE = """
CREATE FUNCTION gis_tell_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gis_version', NEW.scheme_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER grid_version_told AFTER INSERT ON grid_version
    FOR EACH ROW EXECUTE FUNCTION gis_tell_version();
"""

ANALYZE = """
CREATE FUNCTION gis_analyze() RETURNS void LANGUAGE plpgsql
SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables
                WHERE schemaname = 'public' AND tableowner = current_user
                ORDER BY tablename LOOP
        EXECUTE format('ANALYZE public.%I', name);
    END LOOP;
END $$;
COMMENT ON FUNCTION gis_analyze() IS
    'Renews the statistics after a large import; the service''s role owns no table and may not.';
"""

SYSTEM_ACTOR = """
INSERT INTO actor (actor_id, name, name_en, role) VALUES (1, '系统', 'System', 'county_office');
SELECT setval(pg_get_serial_sequence('actor', 'actor_id'), 1);
"""

GRANTS = """
GRANT USAGE ON SCHEMA public TO gis_service;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO gis_service;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO gis_service;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO gis_service;
ALTER DEFAULT PRIVILEGES IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO gis_service;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO gis_service;
REVOKE UPDATE, DELETE, TRUNCATE ON event FROM gis_service;
REVOKE UPDATE, DELETE, TRUNCATE ON grid_code FROM gis_service;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM gis_service;
"""


def upgrade() -> None:
    op.create_table('actor',
    sa.Column('actor_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('name_en', sa.Text(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('is_demo', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('areas', postgresql.ARRAY(sa.BigInteger()), nullable=True, comment='grid ids of any level; NULL means the whole county'),
    sa.CheckConstraint("role IN ('county_office', 'planner', 'dispatcher', 'analyst', 'grid_officer', 'visitor')", name=op.f('ck_actor_role_known')),
    sa.PrimaryKeyConstraint('actor_id', name=op.f('pk_actor')),
    comment='Who may ask: a person or a service account, with a role and the areas it answers for.'
    )
    op.create_geospatial_table('admin_unit',
    sa.Column('admin_unit_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('level', sa.Text(), nullable=False),
    sa.Column('parent_id', sa.BigInteger(), nullable=True),
    sa.Column('source_list', sa.Text(), nullable=False),
    sa.Column('urban_rural_class', sa.Text(), nullable=True),
    sa.Column('valid', postgresql.DATERANGE(), nullable=False),
    sa.Column('geom', Geometry(geometry_type='MULTIPOLYGON', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry'), nullable=True),
    postgresql.ExcludeConstraint((sa.column('code'), '='), (sa.column('source_list'), '='), (sa.column('level'), '='), (sa.column('valid'), '&&'), using='gist', name='ex_admin_unit_code_valid'),
    sa.CheckConstraint("code <> ''", name=op.f('ck_admin_unit_code_not_empty')),
    sa.CheckConstraint("level IN ('county', 'town', 'village')", name=op.f('ck_admin_unit_level_known')),
    sa.CheckConstraint("urban_rural_class ~ '^[12][12][0-3]$'", name=op.f('ck_admin_unit_urban_rural_class_form')),
    sa.CheckConstraint('NOT isempty(valid)', name=op.f('ck_admin_unit_valid_not_empty')),
    sa.ForeignKeyConstraint(['parent_id'], ['admin_unit.admin_unit_id'], name=op.f('fk_admin_unit_parent_id')),
    sa.PrimaryKeyConstraint('admin_unit_id', name=op.f('pk_admin_unit'))
    )
    op.create_geospatial_index('ix_admin_unit_geom', 'admin_unit', ['geom'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_index('ix_admin_unit_parent', 'admin_unit', ['parent_id'], unique=False)
    op.create_table('event',
    sa.Column('event_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=False),
    sa.Column('actor_role', sa.Text(), nullable=False),
    sa.Column('action', sa.Text(), nullable=False),
    sa.Column('object_kind', sa.Text(), nullable=False),
    sa.Column('object_id', sa.Text(), nullable=True),
    sa.Column('before', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('after', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.PrimaryKeyConstraint('event_id', name=op.f('pk_event')),
    comment='What happened, appended only: a trigger refuses UPDATE, DELETE and TRUNCATE.'
    )
    op.create_index('ix_event_at', 'event', ['at'], unique=False)
    op.create_index('ix_event_object', 'event', ['object_kind', 'object_id'], unique=False)
    op.create_geospatial_table('facility',
    sa.Column('facility_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('address', sa.Text(), server_default='', nullable=False),
    sa.Column('phone', sa.Text(), server_default='', nullable=False),
    sa.Column('grade', sa.Text(), server_default='', nullable=False),
    sa.Column('turnout_minutes', sa.Double(), nullable=True, comment="NULL: the standard's own"),
    sa.Column('point', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint("kind IN ('service_centre', 'police_room', 'clinic', 'grocery', 'bank', 'school', 'fire_station', 'mini_fire_station', 'water_source')", name=op.f('ck_facility_kind_known')),
    sa.CheckConstraint('turnout_minutes >= 0', name=op.f('ck_facility_turnout_not_negative')),
    sa.PrimaryKeyConstraint('facility_id', name=op.f('pk_facility')),
    sa.UniqueConstraint('key', name=op.f('uq_facility_key'))
    )
    op.create_index('ix_facility_kind', 'facility', ['kind'], unique=False)
    op.create_geospatial_index('ix_facility_point', 'facility', ['point'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_table('grid_scheme',
    sa.Column('scheme_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('name_en', sa.Text(), nullable=False),
    sa.Column('is_base', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('several_parts', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('code_layout', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='digits of each part of a code, e.g. [6,3,3,3]'),
    sa.Column('size_rule', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='households of a base grid by class: {"urban": [200, 300], "rural": [80, 120]}'),
    sa.PrimaryKeyConstraint('scheme_id', name=op.f('pk_grid_scheme')),
    sa.UniqueConstraint('code', name=op.f('uq_grid_scheme_code')),
    comment='网格体系: the base scheme, and professional ones each with their own polygons.'
    )
    op.create_index('uq_grid_scheme_one_base', 'grid_scheme', ['is_base'], unique=True, postgresql_where=sa.text('is_base'))
    op.create_geospatial_table('land_cover',
    sa.Column('land_cover_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), server_default='', nullable=False),
    sa.Column('geom', Geometry(geometry_type='MULTIPOLYGON', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint("kind IN ('water', 'green', 'built')", name=op.f('ck_land_cover_kind_known')),
    sa.PrimaryKeyConstraint('land_cover_id', name=op.f('pk_land_cover')),
    sa.UniqueConstraint('key', name=op.f('uq_land_cover_key'))
    )
    op.create_geospatial_index('ix_land_cover_geom', 'land_cover', ['geom'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_geospatial_table('officer',
    sa.Column('officer_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('phone', sa.Text(), nullable=False),
    sa.Column('full_time', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('valid', postgresql.DATERANGE(), nullable=False),
    sa.Column('duty_post', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry'), nullable=True),
    sa.CheckConstraint("name <> ''", name=op.f('ck_officer_name_not_empty')),
    sa.CheckConstraint('NOT isempty(valid)', name=op.f('ck_officer_valid_not_empty')),
    sa.PrimaryKeyConstraint('officer_id', name=op.f('pk_officer')),
    sa.UniqueConstraint('key', name=op.f('uq_officer_key'))
    )
    op.create_table('road_network',
    sa.Column('network_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('data_day', sa.Date(), nullable=True),
    sa.Column('clipped', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('active', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.PrimaryKeyConstraint('network_id', name=op.f('pk_road_network'))
    )
    op.create_index('uq_road_network_one_active', 'road_network', ['active'], unique=True, postgresql_where=sa.text('active'))
    op.create_table('admin_unit_successor',
    sa.Column('old_id', sa.BigInteger(), nullable=False),
    sa.Column('new_id', sa.BigInteger(), nullable=False),
    sa.Column('on_day', sa.Date(), nullable=False),
    sa.CheckConstraint('old_id <> new_id', name=op.f('ck_admin_unit_successor_not_itself')),
    sa.ForeignKeyConstraint(['new_id'], ['admin_unit.admin_unit_id'], name=op.f('fk_admin_unit_successor_new_id')),
    sa.ForeignKeyConstraint(['old_id'], ['admin_unit.admin_unit_id'], name=op.f('fk_admin_unit_successor_old_id')),
    sa.PrimaryKeyConstraint('old_id', 'new_id', name=op.f('pk_admin_unit_successor'))
    )
    op.create_table('grid_level',
    sa.Column('scheme_id', sa.BigInteger(), nullable=False),
    sa.Column('rank', sa.SmallInteger(), autoincrement=False, nullable=False),
    sa.Column('label', sa.Text(), nullable=False),
    sa.Column('label_en', sa.Text(), nullable=False),
    sa.Column('admin_level', sa.Text(), nullable=True),
    sa.Column('tessellates', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.CheckConstraint('rank >= 1', name=op.f('ck_grid_level_rank_from_one')),
    sa.ForeignKeyConstraint(['scheme_id'], ['grid_scheme.scheme_id'], name=op.f('fk_grid_level_scheme_id')),
    sa.PrimaryKeyConstraint('scheme_id', 'rank', name=op.f('pk_grid_level')),
    comment='层级: rank 1 is the top; label and administrative tier are separate.'
    )
    op.create_table('grid_version',
    sa.Column('version_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('scheme_id', sa.BigInteger(), nullable=False),
    sa.Column('effective_day', sa.Date(), nullable=False),
    sa.Column('published_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('published_by', sa.BigInteger(), nullable=False),
    sa.Column('title', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), server_default='', nullable=False),
    sa.Column('counts', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('applied_at', sa.DateTime(timezone=True), nullable=True, comment="when today's copies on the rows took it over; NULL: its day is still to come"),
    sa.ForeignKeyConstraint(['published_by'], ['actor.actor_id'], name=op.f('fk_grid_version_published_by')),
    sa.ForeignKeyConstraint(['scheme_id'], ['grid_scheme.scheme_id'], name=op.f('fk_grid_version_scheme_id')),
    sa.PrimaryKeyConstraint('version_id', name=op.f('pk_grid_version')),
    sa.UniqueConstraint('scheme_id', 'effective_day', name=op.f('uq_grid_version_scheme_id_effective_day')),
    comment='A version of a scheme is an effective day; its state is the rows holding that day.'
    )
    op.create_table('import_record',
    sa.Column('import_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('source_name', sa.Text(), nullable=False),
    sa.Column('sha256', sa.Text(), nullable=False),
    sa.Column('crs', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('taken', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='rows taken, by table'),
    sa.Column('refused', sa.Integer(), nullable=False),
    sa.Column('refusals', postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment='[{row, feature, field, reason}], the first 1,000'),
    sa.ForeignKeyConstraint(['actor_id'], ['actor.actor_id'], name=op.f('fk_import_record_actor_id')),
    sa.PrimaryKeyConstraint('import_id', name=op.f('pk_import_record')),
    comment="One row a file that went in, written in the file's own transaction."
    )
    op.create_table('job',
    sa.Column('job_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('actor_id', sa.BigInteger(), nullable=False),
    sa.Column('arguments', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('queue_id', sa.BigInteger(), nullable=True, comment="the id in the queue library's own table"),
    sa.Column('status', sa.Text(), server_default='waiting', nullable=False),
    sa.Column('attempts', sa.SmallInteger(), server_default='0', nullable=False),
    sa.Column('progress', sa.REAL(), server_default='0', nullable=False),
    sa.Column('step', sa.Text(), server_default='', nullable=False),
    sa.Column('created_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.Column('started_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('heartbeat_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('finished_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('result', postgresql.JSONB(astext_type=sa.Text()), nullable=True),
    sa.Column('error', sa.Text(), nullable=True),
    sa.CheckConstraint("(status IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)", name=op.f('ck_job_ended_has_time')),
    sa.CheckConstraint("status IN ('waiting', 'running', 'done', 'failed', 'cancelled')", name=op.f('ck_job_status_known')),
    sa.CheckConstraint('progress BETWEEN 0 AND 1', name=op.f('ck_job_progress_is_share')),
    sa.ForeignKeyConstraint(['actor_id'], ['actor.actor_id'], name=op.f('fk_job_actor_id')),
    sa.PrimaryKeyConstraint('job_id', name=op.f('pk_job'))
    )
    op.create_index('ix_job_status', 'job', ['status'], unique=False)
    op.create_table('leave',
    sa.Column('leave_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('officer_id', sa.BigInteger(), nullable=False),
    sa.Column('valid', postgresql.DATERANGE(), nullable=False),
    postgresql.ExcludeConstraint((sa.column('officer_id'), '='), (sa.column('valid'), '&&'), using='gist', name='ex_leave_officer_valid'),
    sa.CheckConstraint('NOT isempty(valid)', name=op.f('ck_leave_valid_not_empty')),
    sa.ForeignKeyConstraint(['officer_id'], ['officer.officer_id'], name=op.f('fk_leave_officer_id')),
    sa.PrimaryKeyConstraint('leave_id', name=op.f('pk_leave'))
    )
    op.create_geospatial_table('road_node',
    sa.Column('network_id', sa.BigInteger(), nullable=False),
    sa.Column('node_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('point', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.ForeignKeyConstraint(['network_id'], ['road_network.network_id'], name=op.f('fk_road_node_network_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('network_id', 'node_id', name=op.f('pk_road_node'))
    )
    op.create_table('coverage_run',
    sa.Column('run_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('standard', sa.Text(), nullable=False),
    sa.Column('scenario', sa.Text(), server_default='normal', nullable=False),
    sa.Column('network_id', sa.BigInteger(), nullable=True, comment='NULL: the region has no roads'),
    sa.Column('version_id', sa.BigInteger(), nullable=False),
    sa.Column('job_id', sa.BigInteger(), nullable=True),
    sa.Column('actor_id', sa.BigInteger(), nullable=False),
    sa.Column('kinds', postgresql.ARRAY(sa.Text()), nullable=False, comment='order of the arrays in coverage_household'),
    sa.Column('parameters', postgresql.JSONB(astext_type=sa.Text()), nullable=False),
    sa.Column('fingerprint', sa.Text(), nullable=False),
    sa.Column('software_version', sa.Text(), nullable=False),
    sa.Column('summary', postgresql.JSONB(astext_type=sa.Text()), server_default='{}', nullable=False),
    sa.Column('finished_at', sa.DateTime(timezone=True), server_default=sa.text('now()'), nullable=False),
    sa.ForeignKeyConstraint(['actor_id'], ['actor.actor_id'], name=op.f('fk_coverage_run_actor_id')),
    sa.ForeignKeyConstraint(['job_id'], ['job.job_id'], name=op.f('fk_coverage_run_job_id')),
    sa.ForeignKeyConstraint(['network_id'], ['road_network.network_id'], name=op.f('fk_coverage_run_network_id'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['version_id'], ['grid_version.version_id'], name=op.f('fk_coverage_run_version_id')),
    sa.PrimaryKeyConstraint('run_id', name=op.f('pk_coverage_run')),
    comment='A measured coverage; written whole in one transaction, so a half run never shows.'
    )
    op.create_index('ix_coverage_run_standard', 'coverage_run', ['standard', 'finished_at'], unique=False)
    op.create_table('grid',
    sa.Column('grid_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('scheme_id', sa.BigInteger(), nullable=False),
    sa.Column('rank', sa.SmallInteger(), nullable=False),
    sa.Column('kind', sa.Text(), server_default='ordinary', nullable=False),
    sa.CheckConstraint("kind IN ('ordinary', 'dedicated')", name=op.f('ck_grid_kind_known')),
    sa.ForeignKeyConstraint(['scheme_id', 'rank'], ['grid_level.scheme_id', 'grid_level.rank'], name=op.f('fk_grid_scheme_id_rank')),
    sa.PrimaryKeyConstraint('grid_id', name=op.f('pk_grid')),
    sa.UniqueConstraint('grid_id', 'scheme_id', name=op.f('uq_grid_grid_id_scheme_id')),
    sa.UniqueConstraint('grid_id', 'scheme_id', 'rank', name=op.f('uq_grid_grid_id_scheme_id_rank')),
    comment='网格: the identity; all that changes is dated in grid_state.'
    )
    op.create_index('ix_grid_scheme_rank', 'grid', ['scheme_id', 'rank'], unique=False)
    op.create_geospatial_table('road_edge',
    sa.Column('network_id', sa.BigInteger(), nullable=False),
    sa.Column('edge_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('source_node', sa.BigInteger(), nullable=False),
    sa.Column('target_node', sa.BigInteger(), nullable=False),
    sa.Column('road_class', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), server_default='', nullable=False),
    sa.Column('oneway', sa.SmallInteger(), server_default='0', nullable=False, comment='0 both ways, 1 along the line, -1 against it'),
    sa.Column('maxspeed_kmh', sa.REAL(), nullable=True),
    sa.Column('bridge', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('tunnel', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('dual_carriageway', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('roundabout', sa.Boolean(), server_default=sa.text('false'), nullable=False),
    sa.Column('foot', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('motor', sa.Boolean(), server_default=sa.text('true'), nullable=False),
    sa.Column('length_m', sa.Double(), nullable=False),
    sa.Column('geom', Geometry(geometry_type='LINESTRING', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint("road_class IN ('motorway', 'trunk', 'primary', 'secondary', 'tertiary', 'unclassified', 'residential', 'living_street', 'service', 'track', 'path', 'footway', 'cycleway', 'steps', 'pedestrian', 'ferry')", name=op.f('ck_road_edge_road_class_known')),
    sa.CheckConstraint('length_m > 0', name=op.f('ck_road_edge_length_positive')),
    sa.CheckConstraint('maxspeed_kmh > 0', name=op.f('ck_road_edge_maxspeed_positive')),
    sa.CheckConstraint('oneway IN (-1, 0, 1)', name=op.f('ck_road_edge_oneway_known')),
    sa.ForeignKeyConstraint(['network_id', 'source_node'], ['road_node.network_id', 'road_node.node_id'], name=op.f('fk_road_edge_network_id_source_node'), ondelete='CASCADE'),
    sa.ForeignKeyConstraint(['network_id', 'target_node'], ['road_node.network_id', 'road_node.node_id'], name=op.f('fk_road_edge_network_id_target_node'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('network_id', 'edge_id', name=op.f('pk_road_edge'))
    )
    op.create_geospatial_index('ix_road_edge_geom', 'road_edge', ['geom'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_index('ix_road_edge_source', 'road_edge', ['network_id', 'source_node'], unique=False)
    op.create_index('ix_road_edge_target', 'road_edge', ['network_id', 'target_node'], unique=False)
    op.create_table('assignment',
    sa.Column('scheme_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('object_kind', sa.Text(), nullable=False),
    sa.Column('object_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('valid', postgresql.DATERANGE(), nullable=False),
    sa.Column('grid_id', sa.BigInteger(), nullable=True),
    sa.Column('method', sa.Text(), nullable=False),
    sa.Column('nearest_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('distance_m', sa.Double(), nullable=True),
    sa.CheckConstraint("(method = 'outside') = (grid_id IS NULL)", name=op.f('ck_assignment_outside_has_no_grid')),
    sa.CheckConstraint("(method = 'outside') = (nearest_grid_id IS NOT NULL AND distance_m IS NOT NULL)", name=op.f('ck_assignment_outside_names_nearest')),
    sa.CheckConstraint("method IN ('within', 'border_tie', 'by_building', 'by_hand', 'outside')", name=op.f('ck_assignment_method_known')),
    sa.CheckConstraint("object_kind IN ('household', 'building', 'premises', 'hazard', 'incident')", name=op.f('ck_assignment_object_kind_known')),
    sa.CheckConstraint('NOT isempty(valid)', name=op.f('ck_assignment_valid_not_empty')),
    sa.ForeignKeyConstraint(['grid_id', 'scheme_id'], ['grid.grid_id', 'grid.scheme_id'], name=op.f('fk_assignment_grid_id_scheme_id')),
    sa.ForeignKeyConstraint(['nearest_grid_id', 'scheme_id'], ['grid.grid_id', 'grid.scheme_id'], name=op.f('fk_assignment_nearest_grid_id_scheme_id')),
    sa.PrimaryKeyConstraint('scheme_id', 'object_kind', 'object_id', 'valid', name=op.f('pk_assignment')),
    comment='Which grid an object belonged to, from when to when; at most one open row an object.'
    )
    op.create_index('ix_assignment_grid', 'assignment', ['grid_id'], unique=False)
    op.create_index('uq_assignment_open', 'assignment', ['scheme_id', 'object_kind', 'object_id'], unique=True, postgresql_where=sa.text('upper_inf(valid)'))
    op.create_geospatial_table('building',
    sa.Column('building_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), server_default='', nullable=False),
    sa.Column('address', sa.Text(), server_default='', nullable=False),
    sa.Column('kind', sa.Text(), server_default='residential', nullable=False),
    sa.Column('storeys', sa.SmallInteger(), server_default='1', nullable=False),
    sa.Column('base_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('footprint', Geometry(geometry_type='MULTIPOLYGON', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry'), nullable=True),
    sa.Column('point', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint('storeys BETWEEN 1 AND 200', name=op.f('ck_building_storeys_sane')),
    sa.ForeignKeyConstraint(['base_grid_id'], ['grid.grid_id'], name=op.f('fk_building_base_grid_id')),
    sa.PrimaryKeyConstraint('building_id', name=op.f('pk_building')),
    sa.UniqueConstraint('key', name=op.f('uq_building_key'))
    )
    op.create_index('ix_building_base_grid', 'building', ['base_grid_id'], unique=False)
    op.create_geospatial_index('ix_building_footprint', 'building', ['footprint'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_geospatial_index('ix_building_point', 'building', ['point'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_table('coverage_figure',
    sa.Column('run_id', sa.BigInteger(), nullable=False),
    sa.Column('rank', sa.SmallInteger(), autoincrement=False, nullable=False),
    sa.Column('grid_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('kind', sa.Text(), nullable=False, comment="'' is the standard's rule over kinds"),
    sa.Column('n', sa.Integer(), nullable=False),
    sa.Column('covered', sa.Integer(), nullable=False),
    sa.Column('too_far', sa.Integer(), nullable=False),
    sa.Column('unreachable', sa.Integer(), nullable=False),
    sa.Column('off_network', sa.Integer(), nullable=False),
    sa.Column('median_minutes', sa.REAL(), nullable=True),
    sa.Column('p90_minutes', sa.REAL(), nullable=True),
    sa.Column('worst_minutes', sa.REAL(), nullable=True),
    sa.CheckConstraint('covered + too_far + unreachable + off_network = n', name=op.f('ck_coverage_figure_adds_up')),
    sa.ForeignKeyConstraint(['run_id'], ['coverage_run.run_id'], name=op.f('fk_coverage_figure_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'rank', 'grid_id', 'kind', name=op.f('pk_coverage_figure')),
    comment='rank 0 is the county (grid_id 0).'
    )
    op.create_table('coverage_household',
    sa.Column('run_id', sa.BigInteger(), nullable=False),
    sa.Column('household_id', sa.BigInteger(), autoincrement=False, nullable=False),
    sa.Column('status', sa.SmallInteger(), nullable=False),
    sa.Column('minutes', sa.REAL(), nullable=True, comment="by the standard's rule over kinds; NULL where none arrives"),
    sa.Column('kind_status', postgresql.ARRAY(sa.SmallInteger()), nullable=False),
    sa.Column('kind_minutes', postgresql.ARRAY(sa.REAL()), nullable=False),
    sa.Column('kind_facility', postgresql.ARRAY(sa.BigInteger()), nullable=False),
    sa.CheckConstraint('status BETWEEN 0 AND 3', name=op.f('ck_coverage_household_status_known')),
    sa.ForeignKeyConstraint(['run_id'], ['coverage_run.run_id'], name=op.f('fk_coverage_household_run_id'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('run_id', 'household_id', name=op.f('pk_coverage_household')),
    comment='0 covered, 1 too far, 2 unreachable, 3 off the network.'
    )
    op.create_table('grid_code',
    sa.Column('scheme_id', sa.BigInteger(), nullable=False),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('grid_id', sa.BigInteger(), nullable=False),
    sa.CheckConstraint("code <> ''", name=op.f('ck_grid_code_code_not_empty')),
    sa.ForeignKeyConstraint(['grid_id'], ['grid.grid_id'], name=op.f('fk_grid_code_grid_id')),
    sa.ForeignKeyConstraint(['scheme_id'], ['grid_scheme.scheme_id'], name=op.f('fk_grid_code_scheme_id')),
    sa.PrimaryKeyConstraint('scheme_id', 'code', name=op.f('pk_grid_code')),
    sa.UniqueConstraint('scheme_id', 'code', 'grid_id', name=op.f('uq_grid_code_scheme_id_code_grid_id')),
    comment='Every code ever given: a retired code never means another grid.'
    )
    op.create_table('grid_duty',
    sa.Column('duty_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('officer_id', sa.BigInteger(), nullable=False),
    sa.Column('grid_id', sa.BigInteger(), nullable=False),
    sa.Column('role', sa.Text(), nullable=False),
    sa.Column('post', sa.Text(), nullable=False),
    sa.Column('valid', postgresql.DATERANGE(), nullable=False),
    postgresql.ExcludeConstraint((sa.column('grid_id'), '='), (sa.column('role'), '='), (sa.column('officer_id'), '='), (sa.column('valid'), '&&'), using='gist', name='ex_grid_duty_officer_valid'),
    postgresql.ExcludeConstraint((sa.column('grid_id'), '='), (sa.column('role'), '='), (sa.column('post'), '='), (sa.column('valid'), '&&'), using='gist', name='ex_grid_duty_post_valid'),
    sa.CheckConstraint("post IN ('A', 'B')", name=op.f('ck_grid_duty_post_known')),
    sa.CheckConstraint("role IN ('head', 'officer')", name=op.f('ck_grid_duty_role_known')),
    sa.CheckConstraint('NOT isempty(valid)', name=op.f('ck_grid_duty_valid_not_empty')),
    sa.ForeignKeyConstraint(['grid_id'], ['grid.grid_id'], name=op.f('fk_grid_duty_grid_id')),
    sa.ForeignKeyConstraint(['officer_id'], ['officer.officer_id'], name=op.f('fk_grid_duty_officer_id')),
    sa.PrimaryKeyConstraint('duty_id', name=op.f('pk_grid_duty')),
    comment='A/B岗: who holds which post in which grid, from when to when.'
    )
    op.create_index('ix_grid_duty_officer', 'grid_duty', ['officer_id'], unique=False)
    op.create_table('grid_successor',
    sa.Column('old_grid_id', sa.BigInteger(), nullable=False),
    sa.Column('new_grid_id', sa.BigInteger(), nullable=False),
    sa.Column('version_id', sa.BigInteger(), nullable=False),
    sa.CheckConstraint('old_grid_id <> new_grid_id', name=op.f('ck_grid_successor_not_itself')),
    sa.ForeignKeyConstraint(['new_grid_id'], ['grid.grid_id'], name=op.f('fk_grid_successor_new_grid_id')),
    sa.ForeignKeyConstraint(['old_grid_id'], ['grid.grid_id'], name=op.f('fk_grid_successor_old_grid_id')),
    sa.ForeignKeyConstraint(['version_id'], ['grid_version.version_id'], name=op.f('fk_grid_successor_version_id')),
    sa.PrimaryKeyConstraint('old_grid_id', 'new_grid_id', name=op.f('pk_grid_successor'))
    )
    op.create_geospatial_table('incident',
    sa.Column('incident_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), server_default='reported', nullable=False),
    sa.Column('text', sa.Text(), server_default='', nullable=False),
    sa.Column('reported_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('reporter_name', sa.Text(), server_default='', nullable=False),
    sa.Column('reporter_phone', sa.Text(), server_default='', nullable=False),
    sa.Column('base_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('point', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name=op.f('ck_incident_closed_has_time')),
    sa.CheckConstraint("status IN ('reported', 'accepted', 'dispatched', 'handled', 'verified', 'closed', 'returned')", name=op.f('ck_incident_status_known')),
    sa.CheckConstraint('closed_at >= reported_at', name=op.f('ck_incident_closed_after_reported')),
    sa.ForeignKeyConstraint(['base_grid_id'], ['grid.grid_id'], name=op.f('fk_incident_base_grid_id')),
    sa.PrimaryKeyConstraint('incident_id', name=op.f('pk_incident')),
    sa.UniqueConstraint('key', name=op.f('uq_incident_key'))
    )
    op.create_index('ix_incident_base_grid', 'incident', ['base_grid_id'], unique=False)
    op.create_geospatial_index('ix_incident_point', 'incident', ['point'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_index('ix_incident_reported', 'incident', ['reported_at'], unique=False)
    op.create_geospatial_table('linework_arc',
    sa.Column('arc_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('scheme_id', sa.BigInteger(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('left_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('right_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('valid', postgresql.DATERANGE(), nullable=False),
    sa.Column('geom', Geometry(geometry_type='LINESTRING', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint("kind IN ('street', 'water', 'other')", name=op.f('ck_linework_arc_kind_known')),
    sa.CheckConstraint('NOT isempty(valid)', name=op.f('ck_linework_arc_valid_not_empty')),
    sa.CheckConstraint('left_grid_id IS DISTINCT FROM right_grid_id', name=op.f('ck_linework_arc_separates_two_grids')),
    sa.ForeignKeyConstraint(['left_grid_id'], ['grid.grid_id'], name=op.f('fk_linework_arc_left_grid_id')),
    sa.ForeignKeyConstraint(['right_grid_id'], ['grid.grid_id'], name=op.f('fk_linework_arc_right_grid_id')),
    sa.ForeignKeyConstraint(['scheme_id'], ['grid_scheme.scheme_id'], name=op.f('fk_linework_arc_scheme_id')),
    sa.PrimaryKeyConstraint('arc_id', name=op.f('pk_linework_arc'))
    )
    op.create_geospatial_index('ix_linework_arc_geom', 'linework_arc', ['geom'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_index('ix_linework_arc_left', 'linework_arc', ['left_grid_id'], unique=False)
    op.create_index('ix_linework_arc_right', 'linework_arc', ['right_grid_id'], unique=False)
    op.create_index('ix_linework_arc_scheme', 'linework_arc', ['scheme_id'], unique=False)
    op.create_geospatial_table('grid_state',
    sa.Column('state_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('grid_id', sa.BigInteger(), nullable=False),
    sa.Column('scheme_id', sa.BigInteger(), nullable=False),
    sa.Column('rank', sa.SmallInteger(), nullable=False),
    sa.Column('parent_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('admin_unit_id', sa.BigInteger(), nullable=True),
    sa.Column('code', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('urban_rural_class', sa.Text(), nullable=True),
    sa.Column('area_m2', sa.Double(), nullable=False),
    sa.Column('valid', postgresql.DATERANGE(), nullable=False),
    sa.Column('geom', Geometry(geometry_type='MULTIPOLYGON', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.Column('label_point', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    postgresql.ExcludeConstraint((sa.column('grid_id'), '='), (sa.column('valid'), '&&'), using='gist', name='ex_grid_state_grid_valid'),
    sa.CheckConstraint("urban_rural_class ~ '^[12][12][0-3]$'", name=op.f('ck_grid_state_urban_rural_class_form')),
    sa.CheckConstraint('(rank = 1) = (parent_grid_id IS NULL)', name=op.f('ck_grid_state_parent_below_top')),
    sa.CheckConstraint('NOT isempty(valid)', name=op.f('ck_grid_state_valid_not_empty')),
    sa.CheckConstraint('area_m2 > 0', name=op.f('ck_grid_state_area_positive')),
    sa.ForeignKeyConstraint(['admin_unit_id'], ['admin_unit.admin_unit_id'], name=op.f('fk_grid_state_admin_unit_id')),
    sa.ForeignKeyConstraint(['grid_id', 'scheme_id', 'rank'], ['grid.grid_id', 'grid.scheme_id', 'grid.rank'], name=op.f('fk_grid_state_grid_id_scheme_id_rank')),
    sa.ForeignKeyConstraint(['parent_grid_id'], ['grid.grid_id'], name=op.f('fk_grid_state_parent_grid_id')),
    sa.ForeignKeyConstraint(['scheme_id', 'code', 'grid_id'], ['grid_code.scheme_id', 'grid_code.code', 'grid_code.grid_id'], name=op.f('fk_grid_state_scheme_id_code_grid_id')),
    sa.PrimaryKeyConstraint('state_id', name=op.f('pk_grid_state'))
    )
    op.create_geospatial_index('ix_grid_state_geom', 'grid_state', ['geom'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_index('ix_grid_state_parent', 'grid_state', ['parent_grid_id'], unique=False)
    op.create_index('ix_grid_state_scheme_rank', 'grid_state', ['scheme_id', 'rank'], unique=False)
    op.create_geospatial_table('household',
    sa.Column('household_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('building_id', sa.BigInteger(), nullable=True),
    sa.Column('street', sa.Text(), server_default='', nullable=False),
    sa.Column('house_number', sa.Text(), server_default='', nullable=False),
    sa.Column('group_number', sa.SmallInteger(), nullable=True),
    sa.Column('room', sa.Text(), server_default='', nullable=False),
    sa.Column('head_name', sa.Text(), server_default='', nullable=False),
    sa.Column('phone', sa.Text(), server_default='', nullable=False),
    sa.Column('people', sa.SmallInteger(), nullable=False),
    sa.Column('care_tags', postgresql.ARRAY(sa.Text()), server_default='{}', nullable=False),
    sa.Column('base_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('point', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint('people BETWEEN 0 AND 99', name=op.f('ck_household_people_sane')),
    sa.ForeignKeyConstraint(['base_grid_id'], ['grid.grid_id'], name=op.f('fk_household_base_grid_id')),
    sa.ForeignKeyConstraint(['building_id'], ['building.building_id'], name=op.f('fk_household_building_id')),
    sa.PrimaryKeyConstraint('household_id', name=op.f('pk_household')),
    sa.UniqueConstraint('key', name=op.f('uq_household_key'))
    )
    op.create_index('ix_household_base_grid', 'household', ['base_grid_id'], unique=False)
    op.create_index('ix_household_building', 'household', ['building_id'], unique=False)
    op.create_geospatial_index('ix_household_point', 'household', ['point'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_geospatial_table('premises',
    sa.Column('premises_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('name', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('grade', sa.Text(), nullable=False),
    sa.Column('responsible_name', sa.Text(), server_default='', nullable=False),
    sa.Column('phone', sa.Text(), server_default='', nullable=False),
    sa.Column('building_id', sa.BigInteger(), nullable=True),
    sa.Column('base_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('point', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint("grade IN ('A', 'B', 'C', 'D')", name=op.f('ck_premises_grade_known')),
    sa.ForeignKeyConstraint(['base_grid_id'], ['grid.grid_id'], name=op.f('fk_premises_base_grid_id')),
    sa.ForeignKeyConstraint(['building_id'], ['building.building_id'], name=op.f('fk_premises_building_id')),
    sa.PrimaryKeyConstraint('premises_id', name=op.f('pk_premises')),
    sa.UniqueConstraint('key', name=op.f('uq_premises_key'))
    )
    op.create_index('ix_premises_base_grid', 'premises', ['base_grid_id'], unique=False)
    op.create_index('ix_premises_building', 'premises', ['building_id'], unique=False)
    op.create_geospatial_index('ix_premises_point', 'premises', ['point'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_geospatial_table('hazard',
    sa.Column('hazard_id', sa.BigInteger(), sa.Identity(always=False), nullable=False),
    sa.Column('key', sa.Text(), nullable=False),
    sa.Column('kind', sa.Text(), nullable=False),
    sa.Column('grade', sa.Text(), nullable=False),
    sa.Column('status', sa.Text(), nullable=False),
    sa.Column('note', sa.Text(), server_default='', nullable=False),
    sa.Column('premises_id', sa.BigInteger(), nullable=True),
    sa.Column('found_on', sa.Date(), nullable=False),
    sa.Column('due_on', sa.Date(), nullable=False),
    sa.Column('rectified_on', sa.Date(), nullable=True),
    sa.Column('closed_on', sa.Date(), nullable=True),
    sa.Column('base_grid_id', sa.BigInteger(), nullable=True),
    sa.Column('point', Geometry(geometry_type='POINT', srid=4490, dimension=2, spatial_index=False, from_text='ST_GeomFromEWKT', name='geometry', nullable=False), nullable=False),
    sa.CheckConstraint("(status = 'closed') = (closed_on IS NOT NULL)", name=op.f('ck_hazard_closed_has_day')),
    sa.CheckConstraint("grade IN ('ordinary', 'major')", name=op.f('ck_hazard_grade_known')),
    sa.CheckConstraint("status IN ('found', 'rectifying', 'rectified', 'handed_over', 'closed')", name=op.f('ck_hazard_status_known')),
    sa.CheckConstraint('due_on >= found_on', name=op.f('ck_hazard_due_after_found')),
    sa.CheckConstraint('rectified_on >= found_on', name=op.f('ck_hazard_rectified_after_found')),
    sa.ForeignKeyConstraint(['base_grid_id'], ['grid.grid_id'], name=op.f('fk_hazard_base_grid_id')),
    sa.ForeignKeyConstraint(['premises_id'], ['premises.premises_id'], name=op.f('fk_hazard_premises_id')),
    sa.PrimaryKeyConstraint('hazard_id', name=op.f('pk_hazard')),
    sa.UniqueConstraint('key', name=op.f('uq_hazard_key'))
    )
    op.create_index('ix_hazard_base_grid', 'hazard', ['base_grid_id'], unique=False)
    op.create_geospatial_index('ix_hazard_point', 'hazard', ['point'], unique=False, postgresql_using='gist', postgresql_ops={})
    op.create_index('ix_hazard_premises', 'hazard', ['premises_id'], unique=False)
    op.create_table_comment('admin_unit', '行政区划 county, town and village, with code, source list and valid range.')
    op.create_table_comment('building', '房: placed by a point on its surface.')
    op.create_table_comment('facility', '服务点, 消防站, 微型消防站, 水源.')
    op.create_table_comment('grid_state', 'What a grid was from when to when: code, name, parent, polygon.')
    op.create_table_comment('hazard', '隐患: found, due, rectified, handed over, closed.')
    op.create_table_comment('household', '户: follows its building. Sensitive: read through access.visible only.')
    op.create_table_comment('incident', '事件: reported, accepted, dispatched, handled, verified, closed; returned.')
    op.create_table_comment('land_cover', "Water and green for the map's background.")
    op.create_table_comment('linework_arc', 'The noded linework: a scheme\'s geometry of record. NULL beside an arc is outside.')
    op.create_table_comment('officer', '网格长 and 网格员.')
    op.create_table_comment('premises', '监管对象: shops, factories, key fire units, nine-small places.')
    for text in (
        TODAY,
        GRID_AT,
        APPEND_ONLY,
        VERSION_NOTICE,
        ANALYZE,
        SchemaManager.get_schema(),
        SYSTEM_ACTOR,
        GRANTS,
    ):
        run(text)


def run(text: str) -> None:
    """Run SQL that is text, with its colons and per cent signs as they stand."""
    cursor = op.get_bind().connection.cursor()
    try:
        cursor.execute(text)
    finally:
        cursor.close()


def downgrade() -> None:
    """The first step has no way back: drop the database instead."""
    raise NotImplementedError
