"""One specification of each kind of record: a module beside this one with a ``RECORD``.

A new field is one line there, its column and a migration; a new kind is one module there, its table
and a migration.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Final

from gis_service.records.field import Field, Record

_MODULES = (import_module(f"{__name__}.{info.name}") for info in iter_modules(__path__))
_KINDS: list[Record] = [module.RECORD for module in _MODULES if hasattr(module, "RECORD")]

RECORDS: Final[dict[str, Record]] = {
    kind.name: kind for kind in sorted(_KINDS, key=lambda kind: kind.import_order)
}
"""Every kind by its name, those that others refer to first."""


def list_entered() -> dict[str, Record]:
    """
    List the kinds that are entered by hand.

    Returns
    -------
    dict
        By name, in the order in which they are offered.
    """
    kinds = (kind for kind in RECORDS.values() if kind.writers)
    return {kind.name: kind for kind in sorted(kinds, key=lambda kind: kind.form_order)}


def list_referred() -> set[str]:
    """
    Name the kinds that others refer to, grids among them.

    Returns
    -------
    set
        Their names.
    """
    return {field.type for record in RECORDS.values() for field in record.references}


__all__ = ["RECORDS", "Field", "Record", "list_entered", "list_referred"]
