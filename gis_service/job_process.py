"""The process in which jobs are done apart (``python -m gis_service.job_process``).

It reads all of the program before the first job, so that none waits for that.
"""

import gc
import importlib
from contextlib import suppress

from gis_service import fork_server, jobs, main_job  # noqa: F401 (adds every work)
from gis_service.ingest.sandbox import client as apart
from gis_service.logs import keep_values_out_of_logs
from gis_service.memory import keep_few_arenas
from gis_service.reports import coverage  # noqa: F401 (slow to read)
from gis_service.store.engine import Store

with suppress(OSError):  # without Pango nothing is printed, and the job that wants to will say so
    import weasyprint  # noqa: F401


def perform(task: jobs.Task) -> None:
    """
    Do one job on a store of its own.

    Parameters
    ----------
    task
        Of the worker.
    """
    for module in task.modules:
        importlib.import_module(module)
    store = Store(task.url, workload="job", name=jobs.connection_name(task.job_id))
    jobs.perform(store, task.job_id)
    store.close()


if __name__ == "__main__":
    keep_values_out_of_logs()
    keep_few_arenas()
    apart.start_server()  # each job asks the same readers
    gc.freeze()  # what is shared with the children stays so
    fork_server.serve(perform)
