"""A file of any kind into the store: read, matched, checked, written, recorded, in one transaction.

What is the same for every kind is here; what a kind does with its rows is its handler's. Nothing
is written where the file as a whole cannot be taken, and a dry run takes everything back.
"""

from typing import Final

from gis_service.ingest.kinds import ImportKind

KINDS: Final[dict[str, ImportKind]] = {}
"""Every kind of file by its name."""
