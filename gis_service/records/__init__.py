"""One specification of each kind of record: a module beside this one with a ``RECORD``.

A new field is one line there and a migration; a new kind is one module there and a migration.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from gis_service.records.field import Field, Record

_MODULES = (import_module(f"{__name__}.{one.name}") for one in iter_modules(__path__))
_FOUND: list[Record] = [one.RECORD for one in _MODULES if hasattr(one, "RECORD")]

RECORDS: Final[dict[str, Record]] = {
    one.name: one for one in sorted(_FOUND, key=lambda one: one.import_order)
}
"""Every kind by its name, those that others refer to first."""


def entered() -> dict[str, Record]:
    """
    List the kinds that are entered by hand.

    Returns
    -------
    dict
        By name, in the order in which they are offered.
    """
    found = (one for one in RECORDS.values() if one.writers)
    return {one.name: one for one in sorted(found, key=lambda one: one.form_order)}


def referred() -> set[str]:
    """
    Name the kinds that others refer to, grids among them.

    Returns
    -------
    set
        Their names.
    """
    return {one.type for record in RECORDS.values() for one in record.references}


__all__ = ["RECORDS", "Field", "Record", "entered", "referred"]
