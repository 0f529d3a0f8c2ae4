"""
The record: written by one function, sealed into a chain of hashes, read by few.

Revision ID: 0020
Revises: 0019
"""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE event
    ADD COLUMN session_id BIGINT,
    ADD COLUMN address TEXT DEFAULT '' NOT NULL,
    ADD COLUMN request_id TEXT DEFAULT '' NOT NULL;
COMMENT ON COLUMN event.request_id IS 'by which the request is found in the log';
DROP INDEX ix_event_object;
CREATE INDEX ix_event_object ON event (object_kind, object_id, event_id);
CREATE INDEX ix_event_actor ON event (actor_id, event_id);
CREATE INDEX ix_event_action ON event (action, event_id);
CREATE TABLE event_seal (
    seal_number BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_event_seal PRIMARY KEY (seal_number),
    CONSTRAINT uq_event_seal_event_id UNIQUE (event_id)
);
COMMENT ON TABLE event_seal IS 'The chain: each hash is taken over the one before and an event.';
COMMENT ON COLUMN event_seal.event_id IS 'no reference: the first seal outlives its pruned event';
CREATE TABLE event_unsealed (
    event_id BIGINT NOT NULL,
    CONSTRAINT pk_event_unsealed PRIMARY KEY (event_id)
);
COMMENT ON TABLE event_unsealed IS 'Events that are not in the chain yet.';
INSERT INTO event_unsealed SELECT event_id FROM event;
CREATE TABLE digest_key (
    one BOOLEAN DEFAULT true NOT NULL,
    inner_key BYTEA NOT NULL,
    outer_key BYTEA NOT NULL,
    CONSTRAINT pk_digest_key PRIMARY KEY (one),
    CONSTRAINT ck_digest_key_one_row CHECK (one)
);
COMMENT ON TABLE digest_key IS
    'With what personal values are digested; the service''s role cannot read it.';
INSERT INTO digest_key (inner_key, outer_key)
SELECT string_agg(uuid_send(gen_random_uuid()), ''::bytea),
       string_agg(uuid_send(gen_random_uuid()), ''::bytea)
FROM generate_series(1, 4);
"""

# Each is owned by gis_owner, whom alone the tables let write.
FUNCTIONS = """
CREATE FUNCTION gis_digest(place text, value jsonb) RETURNS text LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT 'digest:' || substr(encode(sha256(outer_key ||
        sha256(inner_key || convert_to(place || '=' || value::text, 'UTF8'))), 'hex'), 1, 32)
    FROM digest_key
$$;
COMMENT ON FUNCTION gis_digest(text, jsonb) IS
    'A keyed digest of a value: equal for equal ones at one place, found by nobody without the key.';

CREATE FUNCTION gis_record(action text, object_kind text, object_id text, before jsonb,
                           after jsonb, personal text[] DEFAULT '{}') RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    place text := object_kind || ' ' || coalesce(object_id, '') || ' ';
    name text;
    recorded bigint;
BEGIN
    IF gis_actor_id() IS NULL OR gis_actor_role() IS NULL THEN
        RAISE EXCEPTION 'nobody is named in whose name this happens'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    FOREACH name IN ARRAY personal LOOP
        IF before -> name NOT IN ('null', '""', '[]') THEN
            before := before
                || jsonb_build_object(name, gis_digest(place || name, before -> name));
        END IF;
        IF after -> name NOT IN ('null', '""', '[]') THEN
            after := after
                || jsonb_build_object(name, gis_digest(place || name, after -> name));
        END IF;
    END LOOP;
    INSERT INTO event (actor_id, actor_role, session_id, address, request_id,
                       action, object_kind, object_id, before, after)
    VALUES (gis_actor_id(), gis_actor_role(),
            nullif(current_setting('gis.session_id', true), '')::bigint,
            coalesce(current_setting('gis.address', true), ''),
            coalesce(current_setting('gis.request_id', true), ''),
            action, object_kind, object_id, before, after)
    RETURNING event_id INTO recorded;
    INSERT INTO event_unsealed (event_id) VALUES (recorded);
    RETURN recorded;
END $$;
COMMENT ON FUNCTION gis_record(text, text, text, jsonb, jsonb, text[]) IS
    'The one way into the record; who did it is taken from the transaction.';

CREATE FUNCTION gis_seal_events(most integer)
RETURNS TABLE (sealed integer, seal_number bigint, hash bytea, at timestamp with time zone)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
    number bigint;
    head bytea;
    next record;
    done bigint[] := '{}';
BEGIN
    PERFORM pg_advisory_xact_lock(4906116);  -- one at a time; what follows sees what it has done
    SELECT s.seal_number, s.hash INTO number, head
    FROM event_seal s ORDER BY s.seal_number DESC LIMIT 1;
    IF NOT FOUND THEN
        number := 0;
        head := decode(repeat('00', 32), 'hex');
    END IF;
    FOR next IN
        SELECT e.event_id, jsonb_build_array(
            e.event_id, extract(epoch FROM e.at), e.actor_id, e.actor_role, e.session_id,
            e.address, e.request_id, e.action, e.object_kind, e.object_id,
            e.before::text, e.after::text)::text AS text
        FROM event_unsealed JOIN event e USING (event_id)
        ORDER BY e.event_id LIMIT most
    LOOP
        number := number + 1;
        head := sha256(head || convert_to(next.text, 'UTF8'));
        INSERT INTO event_seal (seal_number, event_id, hash) VALUES (number, next.event_id, head);
        done := done || next.event_id;
    END LOOP;
    DELETE FROM event_unsealed WHERE event_id = ANY (done);
    RETURN QUERY SELECT cardinality(done), s.seal_number, s.hash, s.at
                 FROM event_seal s ORDER BY s.seal_number DESC LIMIT 1;
END $$;
COMMENT ON FUNCTION gis_seal_events(integer) IS
    'Takes committed events into the chain, in the order of their ids, and tells its head.';

CREATE FUNCTION gis_prune_events(days integer, most integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    last bigint;
    removed bigint;
BEGIN
    IF days IS NULL OR days < 183 THEN
        RAISE EXCEPTION 'the record is kept for at least 183 days'
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM pg_advisory_xact_lock(4906116);
    SELECT max(number) INTO last FROM (
        SELECT s.seal_number AS number,
               bool_and(coalesce(e.at < now() - make_interval(days => days), true))
                   OVER (ORDER BY s.seal_number) AS is_old
        FROM event_seal s LEFT JOIN event e USING (event_id)
        ORDER BY s.seal_number LIMIT most
    ) AS first WHERE is_old;
    PERFORM set_config('gis.pruning', 'on', true);
    DELETE FROM event USING event_seal s WHERE event.event_id = s.event_id AND s.seal_number <= last;
    GET DIAGNOSTICS removed = ROW_COUNT;
    IF removed > 0 THEN
        DELETE FROM event_seal WHERE seal_number < last;  -- the last stays: the chain begins there
        PERFORM gis_record('prune', 'event', last::text, NULL, jsonb_build_object(
            'rows', removed, 'days', days,
            'hash', (SELECT encode(hash, 'hex') FROM event_seal WHERE seal_number = last)));
    END IF;
    PERFORM set_config('gis.pruning', '', true);
    RETURN removed;
END $$;
COMMENT ON FUNCTION gis_prune_events(integer, integer) IS
    'Removes sealed events that are older than some days, from the beginning of the chain.';

CREATE FUNCTION gis_keep_record() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_user = 'gis_owner'
       AND current_setting('gis.pruning', true) = 'on' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
"""

GUARDS = """
DROP TRIGGER event_append_only ON event;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION gis_keep_record();
CREATE TRIGGER event_seal_append_only BEFORE UPDATE OR DELETE ON event_seal
    FOR EACH ROW EXECUTE FUNCTION gis_keep_record();
CREATE TRIGGER event_seal_not_truncated BEFORE TRUNCATE ON event_seal
    FOR EACH STATEMENT EXECUTE FUNCTION gis_refuse_change();
REVOKE INSERT, UPDATE, DELETE, TRUNCATE ON event, event_seal, event_unsealed FROM gis_service;
REVOKE ALL ON digest_key FROM gis_service;
REVOKE ALL ON FUNCTION gis_digest(text, jsonb) FROM PUBLIC;
REVOKE ALL ON FUNCTION gis_record(text, text, text, jsonb, jsonb, text[]) FROM PUBLIC;
REVOKE ALL ON FUNCTION gis_seal_events(integer) FROM PUBLIC;
REVOKE ALL ON FUNCTION gis_prune_events(integer, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION gis_record(text, text, text, jsonb, jsonb, text[]) TO gis_service;
GRANT EXECUTE ON FUNCTION gis_seal_events(integer) TO gis_service;
GRANT EXECUTE ON FUNCTION gis_prune_events(integer, integer) TO gis_service;
ALTER TABLE event ENABLE ROW LEVEL SECURITY;
ALTER TABLE event FORCE ROW LEVEL SECURITY;
CREATE POLICY event_owner ON event TO gis_owner USING (true) WITH CHECK (true);
CREATE POLICY event_readers ON event FOR SELECT TO gis_service
    USING ((SELECT coalesce(gis_actor_role() = 'auditor' OR gis_actor_id() = 1, false)));
CREATE POLICY event_of_boundaries ON event FOR SELECT TO gis_service
    USING (object_kind IN ('plan', 'grid_version')
           AND (SELECT coalesce(current_setting('gis.scope', true) = 'county', false)));
"""

UNDO = """
DROP POLICY event_of_boundaries ON event;
DROP POLICY event_readers ON event;
DROP POLICY event_owner ON event;
ALTER TABLE event NO FORCE ROW LEVEL SECURITY;
ALTER TABLE event DISABLE ROW LEVEL SECURITY;
DROP TRIGGER event_append_only ON event;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE ON event
    FOR EACH ROW EXECUTE FUNCTION gis_refuse_change();
DROP FUNCTION gis_record(text, text, text, jsonb, jsonb, text[]);
DROP FUNCTION gis_digest(text, jsonb);
DROP FUNCTION gis_seal_events(integer);
DROP FUNCTION gis_prune_events(integer, integer);
DROP TABLE event_seal, event_unsealed, digest_key;
DROP FUNCTION gis_keep_record();
DROP INDEX ix_event_actor;
DROP INDEX ix_event_action;
DROP INDEX ix_event_object;
CREATE INDEX ix_event_object ON event (object_kind, object_id);
ALTER TABLE event DROP COLUMN session_id, DROP COLUMN address, DROP COLUMN request_id;
GRANT INSERT ON event TO gis_service;
"""


def upgrade() -> None:
    op.execute(TABLES)
    op.execute(FUNCTIONS)
    op.execute(GUARDS)


def downgrade() -> None:
    op.execute(UNDO)
