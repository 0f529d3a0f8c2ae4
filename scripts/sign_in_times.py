"""Whether a known login takes another time to refuse than an unknown one: medians of pairs.

Asks for one and the other in turn, each pair from an address of its own, so that nobody waits. For
a store of made-up people: it makes an account and ends it.
"""

import argparse
import json
import statistics
import time
from contextlib import suppress
from typing import Final

from gis_service.access import SYSTEM, accounts
from gis_service.access.actor import Origin, is_made_up
from gis_service.access.links import follow_link, make_link
from gis_service.access.signing_in import sign_in
from gis_service.errors import NotAllowedError
from gis_service.store import Store, open_store

WARM: Final = 5


def measure(store: Store, pairs: int) -> dict[str, float]:
    """Time wrong passwords of a known and of an unknown login, in milliseconds."""
    number = time.time_ns()
    known, unknown = f"timed.{number}", f"nobody.{number}"
    with store.transaction(SYSTEM) as connection:
        new = accounts.NewAccount(known, "计时", "display")
        actor_id = accounts.make_account(connection, SYSTEM, new).actor_id
        link = make_link(connection, SYSTEM, actor_id)
    follow_link(store, link, f"stone {number}", None, Origin(), "")
    seconds: dict[str, list[float]] = {known: [], unknown: []}
    for pair in range(pairs + WARM):
        origin = Origin(address=f"100.64.{pair // 250}.{pair % 250}")
        for login in (known, unknown) if pair % 2 else (unknown, known):
            began = time.perf_counter()
            with suppress(NotAllowedError):
                sign_in(store, login, "not this one", origin, "")
            if pair >= WARM:
                seconds[login].append(time.perf_counter() - began)
    with store.transaction(SYSTEM) as connection:
        accounts.end_account(connection, SYSTEM, actor_id)
    medians = [1000 * statistics.median(seconds[login]) for login in (known, unknown)]
    return {
        "pairs": pairs,
        "known_ms": round(medians[0], 2),
        "unknown_ms": round(medians[1], 2),
        "difference": round(abs(medians[0] - medians[1]) / min(medians), 4),
    }


def main() -> None:
    """Print the medians as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=300)
    pairs = parser.parse_args().pairs
    with open_store() as store:
        with store.transaction(SYSTEM) as connection:
            if not is_made_up(connection):
                parser.error("the people of this store are real; take a demo's")
        print(json.dumps(measure(store, pairs)))


if __name__ == "__main__":
    main()
