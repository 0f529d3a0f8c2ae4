"""What the database itself holds to about an incident's steps, as text; one migration runs it.

An incident has a step from its first moment on, a change of its state without a step is not
possible, and no step is ever rewritten. Whoever watches is told that there is a new one.
"""

from typing import Final

STEPS: Final = """
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

LISTEN: Final = "LISTEN {channel}"
"""For :mod:`gis_service.store.listening`; the channel comes from its own list."""
