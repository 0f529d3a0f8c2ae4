"""SQL functions, triggers and grants, as text; migrations run them, nothing else does.

The responsible grid of a point has one rule, here and in :mod:`gis_service.grids.locator`; a test
holds the two equal.
"""

from typing import Final

TODAY: Final = """
CREATE FUNCTION gis_today() RETURNS date LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('gis.today', true), '')::date,
                    (now() AT TIME ZONE 'Asia/Shanghai')::date)
$$;
COMMENT ON FUNCTION gis_today() IS
    'The day in Asia/Shanghai; the setting gis.today replays another day.';
"""

GRID_AT: Final = """
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

HOLDS: Final = """
CREATE FUNCTION gis_holds(land geometry, place geometry)
RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ST_ContainsProperly(land, place)
        OR (ST_DWithin(land, place, 1e-9) AND NOT ST_Disjoint(land, place))
$$;
COMMENT ON FUNCTION gis_holds(geometry, geometry) IS
    'Whether land, its border included, holds a point, without rounding errors. ST_Intersects is '
    'not used: for a point it rounds, and beside a slanted edge gives it to both sides or to none.';
"""

GRID_AT_EXACT: Final = """
CREATE OR REPLACE FUNCTION gis_grid_at(
    place geometry, scheme text DEFAULT 'base', on_day date DEFAULT NULL)
RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT min(state.grid_id)
    FROM grid_state AS state
    JOIN grid_scheme USING (scheme_id)
    WHERE grid_scheme.code = scheme
      AND state.rank = (SELECT max(rank) FROM grid_level
                        WHERE grid_level.scheme_id = grid_scheme.scheme_id AND tessellates)
      AND state.valid @> coalesce(on_day, gis_today())
      AND state.geom && place
      AND gis_holds(state.geom, place)
$$;
"""

APPEND_ONLY: Final = """
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

VERSION_NOTICE: Final = """
CREATE FUNCTION gis_tell_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gis_version', NEW.scheme_id::text);
    RETURN NULL;
END $$;
CREATE TRIGGER grid_version_told AFTER INSERT ON grid_version
    FOR EACH ROW EXECUTE FUNCTION gis_tell_version();
"""

PLAN_NOTICE: Final = """
CREATE FUNCTION gis_tell_plan() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('gis_plan', NEW.plan_id || ':' || NEW.rev);
    RETURN NULL;
END $$;
CREATE TRIGGER plan_told AFTER INSERT OR UPDATE ON plan
    FOR EACH ROW EXECUTE FUNCTION gis_tell_plan();
"""

ASSIGNMENT_KEPT: Final = """
CREATE FUNCTION gis_check_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    -- planned anew each time: one row and half a million want different ways
    EXECUTE $sql$
        SELECT format('grid %s of scheme %s', named.grid_id, named.scheme_id)
        FROM (SELECT grid_id, scheme_id FROM fresh GROUP BY grid_id, scheme_id
              UNION
              SELECT nearest_grid_id, scheme_id FROM fresh
              GROUP BY nearest_grid_id, scheme_id) AS named
        LEFT JOIN grid USING (grid_id, scheme_id)
        WHERE named.grid_id IS NOT NULL AND grid.grid_id IS NULL
        LIMIT 1
    $sql$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'an assignment names %, which is not there', wrong
            USING ERRCODE = 'foreign_key_violation', TABLE = 'assignment',
                  CONSTRAINT = 'assignment_names_a_grid';
    END IF;
    EXECUTE $sql$
        SELECT format('%s %s of scheme %s', object_kind, object_id, scheme_id)
        FROM fresh JOIN assignment AS other USING (scheme_id, object_kind, object_id)
        WHERE other.since <> fresh.since AND other.valid && fresh.valid
        LIMIT 1
    $sql$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'two assignments of % on one day', wrong
            USING ERRCODE = 'exclusion_violation', TABLE = 'assignment',
                  CONSTRAINT = 'assignment_once_a_day';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER assignment_kept AFTER INSERT ON assignment
    REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION gis_check_assignment();

CREATE FUNCTION gis_keep_grids() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM gone JOIN assignment ON assignment.grid_id = gone.grid_id
                                                OR assignment.nearest_grid_id = gone.grid_id) THEN
        RAISE EXCEPTION 'objects are assigned to a grid that is deleted'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'assignment',
                  CONSTRAINT = 'assignment_names_a_grid';
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER grid_kept AFTER DELETE ON grid
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION gis_keep_grids();
"""

LOTS: Final = """
CREATE VIEW assignment AS
SELECT member.scheme_id, member.object_kind, member.object_id, span.valid, lot_grid.grid_id,
       member.method, member.nearest_grid_id, member.distance_m
FROM membership AS member
LEFT JOIN lot_grid ON lot_grid.lot_id = member.lot_id AND lot_grid.valid && member.valid
CROSS JOIN LATERAL (SELECT member.valid * coalesce(lot_grid.valid, member.valid)) AS span (valid);
COMMENT ON VIEW assignment IS
    'Which grid an object belonged to, from when to when: its lots, with their grids.';

CREATE OR REPLACE FUNCTION gis_check_assignment() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
BEGIN
    -- planned anew each time: one row and half a million want different ways
    EXECUTE $sql$
        SELECT format('lot %s of scheme %s', named.lot_id, named.scheme_id)
        FROM (SELECT lot_id, scheme_id FROM fresh GROUP BY lot_id, scheme_id) AS named
        LEFT JOIN lot USING (lot_id, scheme_id)
        WHERE named.lot_id IS NOT NULL AND lot.lot_id IS NULL
        UNION ALL
        SELECT format('grid %s of scheme %s', named.nearest_grid_id, named.scheme_id)
        FROM (SELECT nearest_grid_id, scheme_id FROM fresh
              GROUP BY nearest_grid_id, scheme_id) AS named
        LEFT JOIN grid ON grid.grid_id = named.nearest_grid_id
                      AND grid.scheme_id = named.scheme_id
        WHERE named.nearest_grid_id IS NOT NULL AND grid.grid_id IS NULL
        LIMIT 1
    $sql$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'an assignment names %, which is not there', wrong
            USING ERRCODE = 'foreign_key_violation', TABLE = 'membership',
                  CONSTRAINT = 'membership_names_a_lot';
    END IF;
    EXECUTE $sql$
        SELECT format('%s %s of scheme %s', object_kind, object_id, scheme_id)
        FROM fresh JOIN membership AS other USING (scheme_id, object_kind, object_id)
        WHERE other.since <> fresh.since AND other.valid && fresh.valid
        LIMIT 1
    $sql$ INTO wrong;
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'two assignments of % on one day', wrong
            USING ERRCODE = 'exclusion_violation', TABLE = 'membership',
                  CONSTRAINT = 'membership_once_a_day';
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION gis_keep_grids() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- where a lot belongs to a grid its foreign key speaks
    IF EXISTS (SELECT FROM gone JOIN membership ON membership.nearest_grid_id = gone.grid_id) THEN
        RAISE EXCEPTION 'objects are assigned to a grid that is deleted'
            USING ERRCODE = 'foreign_key_violation', TABLE = 'membership',
                  CONSTRAINT = 'membership_names_a_grid';
    END IF;
    RETURN NULL;
END $$;
"""

ANALYZE: Final = """
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

GRANTS: Final = """
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

SYSTEM_ACTOR: Final = """
INSERT INTO actor (actor_id, name, name_en, role) VALUES (1, '系统', 'System', 'county_office');
SELECT setval(pg_get_serial_sequence('actor', 'actor_id'), 1);
"""
