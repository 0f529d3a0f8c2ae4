"""How Alembic reaches the database: only through the connection that store.migrate hands over."""

from typing import Any

from alembic import context
from geoalchemy2 import alembic_helpers

from gis_service.store.tables import metadata


def include_object(thing: Any, name: str, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Leave alone what PostGIS and the queue library brought."""
    if kind == "table" and reflected and compare_to is None:
        return not (name.startswith("procrastinate_") or name == "spatial_ref_sys")
    return bool(alembic_helpers.include_object(thing, name, kind, reflected, compare_to))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_object=include_object,
    process_revision_directives=alembic_helpers.writer,
    render_item=alembic_helpers.render_item,
)
with context.begin_transaction():
    context.run_migrations()
