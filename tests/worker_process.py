"""A worker as the service runs it, in a process of its own, that also knows the tests' works."""

import sys

from gis_service import jobs
from gis_service.logs import keep_values_out_of_logs
from gis_service.store import Store
from tests import works  # noqa: F401 (adds works)

if __name__ == "__main__":
    keep_values_out_of_logs()
    jobs.run_worker(Store(sys.argv[1]), wait=True)
