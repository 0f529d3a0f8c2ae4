"""The triggers that tell which search entries are out of date, as text for the migration."""

from typing import Final

_WATCHED: Final = (
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

_FUNCTION: Final = """
CREATE FUNCTION gis_note_search_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO search_change (kind) VALUES (TG_ARGV[0]);
    RETURN NULL;
END $$;
INSERT INTO search_change (kind)
VALUES ('houses'), ('building'), ('premises'), ('facility'), ('officer'), ('grid'), ('unit'),
       ('road');
"""

_TRIGGER: Final = """
CREATE TRIGGER search_{kind} AFTER INSERT OR DELETE OR UPDATE {columns} ON {table}
    FOR EACH STATEMENT EXECUTE FUNCTION gis_note_search_change('{kind}');
"""

CHANGES: Final = _FUNCTION + "".join(
    _TRIGGER.format(table=table, kind=kind, columns=columns) for table, kind, columns in _WATCHED
)
