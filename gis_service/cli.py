"""The command ``gis-service``: each command parses, calls one function and prints its answer.

What is printed for programs goes to standard output, everything said to people to standard error.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NoReturn

import typer

from gis_service import __version__
from gis_service.commands import coverage_sites as _coverage_sites  # noqa: F401 (adds commands)
from gis_service.commands import importing, locating
from gis_service.commands.audit import audit_app
from gis_service.commands.certificates import make_certificates_here
from gis_service.commands.coverage import coverage_app
from gis_service.commands.incidents import incidents_app
from gis_service.commands.maps import print_map
from gis_service.commands.people import key_app, user_app
from gis_service.commands.person import person_app
from gis_service.commands.plans import plan_app
from gis_service.commands.proposals import propose_app
from gis_service.commands.report import report_app
from gis_service.commands.roads import roads_app
from gis_service.commands.terminal import exit_on_errors, language, say
from gis_service.errors import InputError, NotFoundError, Place
from gis_service.logs import keep_values_out_of_logs
from gis_service.memory import keep_few_arenas
from gis_service.messages import text
from gis_service.regions import name_region_database

if TYPE_CHECKING:
    from gis_service.ingest.region import RegionResult
    from gis_service.store import Store

app = typer.Typer(
    name="gis-service",
    help="A map service for 网格化管理: whose grid, who gets there first, who is left out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
import_app = typer.Typer(help="Take files in.", no_args_is_help=True)
app.add_typer(import_app, name="import")
importing.add_commands(import_app)
app.add_typer(audit_app, name="audit")
app.add_typer(coverage_app, name="coverage")
app.add_typer(incidents_app, name="incidents")
app.add_typer(key_app, name="key")
app.add_typer(person_app, name="person")
app.add_typer(plan_app, name="plan")
app.add_typer(propose_app, name="propose")
app.add_typer(report_app, name="report")
app.add_typer(roads_app, name="roads")
app.add_typer(user_app, name="user")
app.command(context_settings=locating.NEGATIVE)(locating.locate)
app.command()(locating.assign)
app.command("map")(print_map)
app.command("cert")(make_certificates_here)

COUNTY_LANGUAGE: Final = "zh-CN"
"""Of the county's map; that of a region is in the language of who loads it."""

Region = Annotated[
    Path | None,
    typer.Option(
        "--region", help="An OpenStreetMap file; it gets a database of its own beside the county."
    ),
]

WholeFile = Annotated[
    bool,
    typer.Option("--whole-file", help="Homes in no whole unit make a grid of their own."),
]
_WORKER_ENDS_S: Final = 20
"""After the time of a shutdown a worker has so many seconds to end its job and give it back."""

Port = Annotated[int | None, typer.Option(min=1, max=65535, help="Where to serve.")]


def main() -> None:
    """Run a command; an error that we can name is said in one line with its own exit code."""
    # A plain SIGTERM would end the process without leaving the cluster and stopping the workers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    keep_values_out_of_logs()
    with exit_on_errors():
        app()


@app.command()
def version() -> None:
    """Print the version of this release."""
    print(__version__)


@app.command()
def migrate() -> None:
    """Bring the database to the tables of this release."""
    from gis_service.store import open_store

    with open_store():
        say("the database is up to date")


@app.command()
def run(
    once: Annotated[bool, typer.Option("--once", help="Do everything but serve.")] = False,
    region: Region = None,
    whole_file: WholeFile = False,
    port: Port = None,
) -> None:
    """Do the main job for the county in the store, or for a region from a file, and serve it."""
    from gis_service import main_job
    from gis_service.certificates import load_certificate, page_address
    from gis_service.commands.job_summary import describe_result
    from gis_service.settings import server_settings
    from gis_service.store import open_store

    serving_port = port or server_settings().port  # a bad setting is told before any work is done
    address = page_address(server_settings().host, serving_port, load_certificate())
    if whole_file and region is None:
        raise InputError("cli.whole_file_alone", place=Place(field="--whole-file"))
    database = _take_region(region, whole_file) if region else None
    speech = language() if region else COUNTY_LANGUAGE
    with open_store(database=database) as store:
        file = _map_file(region, whole_file)
        result = main_job.main_job(store, file, say, speech, language())
        again = f" --region {region}" + (" --whole-file" if whole_file else "") if region else ""
        for line in describe_result(store, result, language(), address, f"scripts/run{again}"):
            say(line)
        if not once:
            _become_server(store, serving_port, database)
        print(json.dumps(result, ensure_ascii=False, default=str))
        sys.exit(1 if result["map"] is None else 0)


def _map_file(region: Path | None, whole_file: bool) -> Path:
    from gis_service.settings import store_settings

    name = "map" if region is None else f"map-{region.name.partition('.')[0]}"
    name += "-whole" if whole_file else ""
    return store_settings().data_dir / "maps" / f"{name}.html"


def _take_region(path: Path, whole_file: bool) -> str:
    """Import a file into the database that belongs to it; the county's stays as it is."""
    from gis_service.access import SYSTEM
    from gis_service.ingest.region import import_region
    from gis_service.ingest.sandbox.client import read_osm_in_child
    from gis_service.store import find_database, open_store

    database = name_region_database(path, whole_file=whole_file)
    region = None
    if find_database(database) is None:  # a bad file makes nothing
        region = read_osm_in_child(path, whole_file=whole_file)
    with open_store(database=database) as store:
        _say_imported(
            store, import_region(store, SYSTEM, path, region, whole_file=whole_file), path
        )
    return database


def _say_imported(store: "Store", result: "RegionResult | None", path: Path) -> None:
    from gis_service.access import SYSTEM
    from gis_service.ingest.region import list_notes
    from gis_service.ingest.writing.past_imports import region_notes

    if result is None:
        say(f"{path.name} is in the store already; nothing changed")
        with store.transaction(SYSTEM) as connection:
            notes = region_notes(connection)
        for note in notes:
            say(note.say(language()))
        return
    for table, count in result.written.taken.items():
        if count:
            say(f"{table}: {count:,}")
    for note in list_notes(result):
        say(note.say(language()))
    for refusal in result.written.refusals[:20]:
        say(f"refused {refusal.feature or refusal.row}: {refusal.say(language())}")
    if len(result.written.refusals) > 20:
        say(f"… and {len(result.written.refusals) - 20} more, listed in the import record")


@app.command()
def serve(
    port: Port = None,
    listener: Annotated[int | None, typer.Option(hidden=True)] = None,
    database: Annotated[str | None, typer.Option(hidden=True)] = None,
) -> None:
    """Serve what is in the store, without doing the main job first."""
    from gis_service.certificates import load_certificate
    from gis_service.commands.handing_over import must_hand_over
    from gis_service.settings import server_settings
    from gis_service.store import open_store

    serving_port = port or server_settings().port
    load_certificate()  # what is wrong with it is told before anything is started
    if listener is None or must_hand_over():
        with open_store(database=database) as store:
            _become_server(store, serving_port, database)
    with (
        socket.socket(fileno=listener) as bound,
        open_store(migrate=False, watch=True, database=database) as store,
    ):
        store.require_powerless()
        from gis_service.api.serve import serve_forever

        with _workers_beside(database):
            serve_forever(store, bound, say, language())


def _become_server(store: "Store", port: int, database: str | None) -> NoReturn:
    """Go on as the server, which is not root and knows no owner; the cluster runs on meanwhile."""
    from gis_service.commands.handing_over import bind, hand_over
    from gis_service.settings import server_settings
    from gis_service.store import find_service_account

    store.require_powerless()
    store.close()
    listener = bind(server_settings().host, port)
    arguments = ["serve", "--listener", str(listener.fileno())]
    arguments += ["--database", database] if database else []
    hand_over(arguments, find_service_account(), keep=[listener.fileno()])


@contextmanager
def _workers_beside(database: str | None) -> Iterator[None]:
    """Keep worker processes beside the server; one that dies is started again."""
    from gis_service.settings import server_settings

    command = [sys.executable, "-P", "-m", "gis_service", "worker", "--with-parent"]
    command += ["--database", database] if database else []
    workers = [subprocess.Popen(command) for _ in range(server_settings().workers)]
    stop = threading.Event()

    def watch() -> None:
        while not stop.wait(1):
            for index, process in enumerate(workers):
                if process.poll() is not None:
                    say(text("cli.worker_ended", language(), code=process.returncode))
                    workers[index] = subprocess.Popen(command)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join()
        for process in workers:
            process.terminate()
        for process in workers:  # each gives its job back after that time
            try:
                process.wait(server_settings().shutdown_s + _WORKER_ENDS_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@app.command()
def worker(
    database: Annotated[str | None, typer.Option(help="A region's database.")] = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when the queue is empty.")] = False,
    with_parent: Annotated[
        bool, typer.Option("--with-parent", help="End when the process that started it ends.")
    ] = False,
) -> None:
    """Work on the jobs in the queue."""
    from gis_service.commands.handing_over import hand_over, must_hand_over
    from gis_service.store import find_database, find_service_account, open_store

    if database is not None and find_database(database) is None:
        raise NotFoundError("cli.no_database", database=database)
    if must_hand_over():
        with open_store(migrate=False, database=database) as store:
            store.require_powerless()
            store.close()
            hand_over(sys.argv[1:], find_service_account())
    from gis_service import due, jobs
    from gis_service import pruning as _pruning  # noqa: F401 (adds what is done regularly)

    parent = os.getppid() if with_parent else None

    def tick(store: "Store") -> None:
        if parent is not None and os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)
        due.apply_what_is_due(store)

    with open_store(migrate=False, database=database) as store:
        store.require_powerless()
        keep_few_arenas()
        jobs.run_worker(store, wait=not once, tick=None if once else tick)


@import_app.command("osm")
def import_osm(
    file: Annotated[Path, typer.Argument(help=".pbf, .osm, .osm.gz or .osm.bz2")],
    whole_file: WholeFile = False,
) -> None:
    """Take a region from an OpenStreetMap file into a store that holds none yet."""
    from gis_service.access import SYSTEM
    from gis_service.ingest.region import import_region
    from gis_service.store import open_store

    with open_store() as store:
        _say_imported(store, import_region(store, SYSTEM, file, whole_file=whole_file), file)
