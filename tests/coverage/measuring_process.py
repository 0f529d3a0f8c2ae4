"""Workers on the queue, each a child of its own, so that a test can kill one while it measures."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gis_service import jobs
from gis_service.coverage.runs import runs
from gis_service.store import Store


def main(url: str) -> None:
    """Read line by line where to stop and which file lets it go on; tell the child's number."""
    print("ready", flush=True)
    for line in sys.stdin:
        step, go_on = line.split()
        child = os.fork()
        if child == 0:
            if step != "nowhere":
                setattr(runs, step, _stopping(getattr(runs, step), Path(go_on)))
            jobs.run_worker(Store(url, pooled=False), wait=False, in_child=False)
            os._exit(0)
        print(child, flush=True)
        os.waitpid(child, 0)
        print("ended", flush=True)


def _stopping(step: Callable[..., Any], go_on: Path) -> Callable[..., Any]:
    """Do a step, tell that it is done, and wait: what it wrote is not committed yet."""

    def do_and_wait(*given: Any) -> Any:
        answer = step(*given)
        print("held", flush=True)
        while not go_on.exists():
            time.sleep(0.01)
        return answer

    return do_and_wait


if __name__ == "__main__":
    main(sys.argv[1])
