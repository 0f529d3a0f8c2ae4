"""Whether the record is what it was when it was sealed: every hash is calculated again, outside.

The database seals; this looks with no function of the database's own. What it cannot see alone is
a chain that was cut or written anew from some point on: for that a head is kept elsewhere.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import sqlalchemy as sa

from gis_service.access import audit

Kind = Literal[
    "changed",
    "removed",
    "removed_unsealed",
    "inserted",
    "seal_missing",
    "cut",
    "rewritten",
    "beginning_missing",
]


@dataclass(frozen=True)
class ChainFault:
    """
    Something that is not as it was sealed.

    Attributes
    ----------
    kind
        What is wrong.
    event_id
        With which event; None where that is not known.
    seal_number
        At which seal of the chain.
    """

    kind: Kind
    event_id: int | None = None
    seal_number: int | None = None


@dataclass(frozen=True)
class ChainHead:
    """A head as it was left elsewhere: number of the seal and its hash."""

    number: int
    hash: str


@dataclass
class Verification:
    """
    What a look through the whole chain came to.

    Attributes
    ----------
    sealed
        Seals that are there.
    first
        Number of the first one; above 1 where old events were pruned.
    unsealed
        Events that wait for their seal.
    head
        Where the chain ends; None while nothing is sealed.
    faults
        What is wrong; empty where nothing is.
    """

    sealed: int = 0
    first: int = 1
    unsealed: int = 0
    head: ChainHead | None = None
    faults: list[ChainFault] = field(default_factory=list)


def verify_record(connection: sa.Connection, heads: Sequence[ChainHead] = ()) -> Verification:
    """
    Look through the whole record.

    Parameters
    ----------
    connection
        An open transaction that may read every event.
    heads
        Left elsewhere earlier; each must be part of the chain.

    Returns
    -------
    Verification
        With everything that is wrong.
    """
    verification = Verification()
    expected = {head.number: head.hash for head in heads}
    found = _follow(audit.read_chain(connection), verification, expected)
    if verification.first > 1 and not audit.finds_pruning(
        connection, verification.first, found[verification.first]
    ):
        verification.faults.append(ChainFault("beginning_missing", None, verification.first))
    last = 0 if verification.head is None else verification.head.number
    farthest = max(expected, default=0)
    if farthest > last:
        verification.faults.append(ChainFault("cut", None, farthest))
    rewritten = [
        number
        for number, digest in expected.items()
        if verification.first <= number <= last and found.get(number) != digest
    ]
    if rewritten:
        verification.faults.append(ChainFault("rewritten", None, min(rewritten)))
    inserted, removed = audit.find_outside_chain(connection)
    verification.faults += [ChainFault("inserted", event_id) for event_id in inserted]
    verification.faults += [ChainFault("removed_unsealed", event_id) for event_id in removed]
    verification.unsealed = audit.read_state(connection).unsealed
    return verification


def _follow(
    chain: Iterable[audit.SealedEvent], verification: Verification, wanted: dict[int, str]
) -> dict[int, str]:
    """Calculate every hash again; give those that are compared with heads from elsewhere."""
    previous, number, found = bytes(hashlib.sha256().digest_size), 0, {}
    for seal in chain:
        if not verification.sealed and seal.number > 1:  # all before it were pruned, and its event
            verification.first = seal.number
            found[seal.number] = seal.hash.hex()
        else:
            if seal.number != number + 1:
                verification.faults.append(ChainFault("seal_missing", None, number + 1))
            elif seal.text is None:
                verification.faults.append(ChainFault("removed", seal.event_id, seal.number))
            elif hashlib.sha256(previous + seal.text.encode()).digest() != seal.hash:
                verification.faults.append(ChainFault("changed", seal.event_id, seal.number))
            if seal.number in wanted:
                found[seal.number] = seal.hash.hex()
        previous, number = seal.hash, seal.number
        verification.sealed += 1
    if verification.sealed:
        verification.head = ChainHead(number, previous.hex())
    return found
