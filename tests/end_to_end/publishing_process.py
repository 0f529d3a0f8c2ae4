"""Publishes plans, each in a child of its own, so that a test can kill it at any moment."""

import os
import sys
from datetime import date

from gis_service.access import SYSTEM
from gis_service.boundaries.plans.drafts import DraftCache
from gis_service.boundaries.plans.publication import publish_plan
from gis_service.store import Store


def main(url: str) -> None:
    """Read plan and day line by line; tell the child's number, and in the child when it is done."""
    print("ready", flush=True)
    for line in sys.stdin:
        plan_id, day = line.split()
        child = os.fork()
        if child == 0:
            store = Store(url, pooled=False)
            with store.transaction(SYSTEM) as connection:
                publish_plan(
                    connection, DraftCache(), SYSTEM, int(plan_id), date.fromisoformat(day), {}
                )
            print("done", flush=True)
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
