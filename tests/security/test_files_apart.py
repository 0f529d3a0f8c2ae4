"""Foreign files are parsed in a process of their own: with limits, and ended with whoever asked."""

import json
import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from random import Random
from typing import TypeVar

import geopandas as gpd
import numpy as np
import openpyxl
import pytest
import shapely
from pandas.testing import assert_frame_equal

from gis_service.coordinate_systems import CoordinateSystem
from gis_service.errors import InputError
from gis_service.ingest.osm.reading import read_osm
from gis_service.ingest.readers import files, gpkg
from gis_service.ingest.readers.table_files import read_csv
from gis_service.ingest.sandbox import client as apart
from gis_service.ingest.sandbox import transfer as parcel
from gis_service.settings import import_settings
from scripts.hostile_files import geopackages, valid, workbooks

Found = TypeVar("Found")

CGCS2000 = CoordinateSystem("cgcs2000")
FOREVER_S = 60.0


@pytest.fixture
def limits(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Set limits as the environment does."""

    def put(**values: float) -> None:
        for name, value in values.items():
            monkeypatch.setenv(f"GIS_IMPORT_{name.upper()}", str(value))
        import_settings.cache_clear()

    yield put
    monkeypatch.undo()
    import_settings.cache_clear()


def long_csv(folder: Path, rows: int) -> Path:
    """A CSV that takes a while."""
    file = folder / "长.csv"
    line = "b,幸福路,112.91,28.71\n"
    file.write_text("key,name,lon,lat\n" + line * rows, "utf-8")
    return file


def wait_for(found: Callable[[], Found]) -> Found:
    """Look until something is there; a machine that does other things is slow."""
    end = time.monotonic() + FOREVER_S
    while time.monotonic() < end:
        if what := found():
            return what
        time.sleep(0.01)
    raise AssertionError("it did not come about")


def children_of(pid: int) -> list[int]:
    found = []
    for one in Path("/proc").iterdir():
        try:
            if one.name.isdigit():
                state, parent = (one / "stat").read_text("latin-1").rpartition(")")[2].split()[:2]
                if int(parent) == pid and state != "Z":
                    found.append(int(one.name))
        except OSError:
            continue
    return found


def server_pid() -> int:
    apart.start_server()
    server = apart._server
    assert server is not None
    return server._process.pid


# --- what comes back ---------------------------------------------------------------------------


def test_a_table_comes_back_as_it_was_read(tmp_path: Path) -> None:
    square = shapely.box(112.9, 28.7, 112.91, 28.71)
    shapes = [square, None, shapely.Point(112.9, 28.7), shapely.Point()]
    frame = gpd.GeoDataFrame(
        {"key": ["a", None, "丙", ""], "n": [1, 2, 3, 4]}, geometry=shapes, crs=4490
    )
    frame.to_file(tmp_path / "a.gpkg")
    frame.to_file(tmp_path / "a.geojson")
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["什么", "lon", "lat"])
    for value in ("文字", 1, 2.5, True, None, datetime(2024, 7, 1)):  # noqa: DTZ001 (a cell has no zone)
        sheet.append([value, 112.9, 28.7])
    sheet.append(["没有", None, "x"])
    book.save(tmp_path / "a.xlsx")
    for name in ("a.gpkg", "a.geojson", "a.xlsx"):
        crs, said = None if name.endswith("gpkg") else CGCS2000, f"表{name}"
        here = files.read_table(tmp_path / name, crs=crs, original_name=said)
        there = apart.read_table_in_child(tmp_path / name, crs=crs, original_name=said)
        assert_frame_equal(there.frame, here.frame)
        assert [type(value) for value in there.frame.iloc[:, 0]] == [
            type(value) for value in here.frame.iloc[:, 0]
        ]
        assert shapely.to_wkb(there.geometry).tolist() == shapely.to_wkb(here.geometry).tolist()
        assert there.rows.tolist() == here.rows.tolist()
        assert np.array_equal(there.raw_xy, here.raw_xy, equal_nan=True)
        for plain in ("name", "crs", "encoding", "layer", "coordinates", "notes", "refusals"):
            assert getattr(there, plain) == getattr(here, plain), plain


def test_a_region_comes_back_as_it_was_read(tmp_path: Path) -> None:
    file = tmp_path / "东县.osm"
    file.write_bytes(valid.osm())
    here, there = read_osm(file), apart.read_osm_in_child(file)
    assert there.name == here.name
    for name, frame in vars(here.frames).items():
        assert_frame_equal(getattr(there.frames, name), frame, check_index_type=False)
    assert_frame_equal(there.grid_polygons, here.grid_polygons, check_index_type=False)
    assert (there.refusals, there.notes) == (here.refusals, here.notes)


def test_an_error_comes_back_with_its_place(tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(workbooks._formula(Random(1)))
    with pytest.raises(InputError) as caught:
        apart.read_table_in_child(file, crs=CGCS2000, original_name="原名.xlsx")
    assert caught.value.key == "ingest.xlsx_formula"
    assert caught.value.place.field == "A2"
    assert "原名.xlsx" in caught.value.say("zh-CN")


def test_nothing_but_tables_is_made_of_what_comes_back(tmp_path: Path) -> None:
    class Bad:
        def __reduce__(self) -> tuple[object, ...]:
            return os.system, (f"touch {tmp_path}/ran",)

    (tmp_path / "bad").write_bytes(pickle.dumps({"frame": Bad()}))
    with pytest.raises(InputError) as caught:
        parcel.unpack(tmp_path / "bad", "a.csv")
    assert caught.value.key == "ingest.reader_died"
    assert not (tmp_path / "ran").exists()


# --- limits ------------------------------------------------------------------------------------


def refused(file: Path) -> InputError:
    with pytest.raises(InputError) as caught:
        apart.read_table_in_child(file, crs=CGCS2000)
    assert file.name in caught.value.say("zh-CN")
    assert file.name in caught.value.say("en")
    return caught.value


def test_memory_is_limited(tmp_path: Path, limits: Callable[..., None]) -> None:
    limits(reader_small_memory_mb=64, reader_memory_per_mb=1)
    error = refused(long_csv(tmp_path, 400_000))
    assert error.key == "ingest.reader_memory"
    assert "GIS_IMPORT_READER_MEMORY_MB" in error.say("en")


ENDS_WHILE_PACKING = """
import pickle, selectors, socket, sys, time
from pathlib import Path
from gis_service.ingest.sandbox import process
from gis_service.ingest.sandbox.client import REQUEST, ReadingLimits

def pack(*_):
    raise MemoryError

process.parcel.pack = pack
process.READERS["table"] = lambda path, original_name: None
folder, (ours, theirs), (control, _) = sys.argv[1], socket.socketpair(), socket.socketpair()
arguments = {"original_name": "a.csv"}
request = {"reader": "table", "path": Path("a.csv"), "arguments": arguments, "environment": {}}
Path(folder, REQUEST).write_bytes(pickle.dumps({**request, "limits": ReadingLimits.of(1)}))
children, selector = {}, selectors.DefaultSelector()
process._fork_child(folder, theirs, children, selector, control)
(child,) = children.values()
while not process._reap_child(child, selector):
    time.sleep(0.01)
print(ours.recv(1000).decode())
"""


def test_memory_that_ends_only_while_an_answer_is_packed_is_told_too(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ENDS_WHILE_PACKING, str(tmp_path)]
    told = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    assert json.loads(told) == {"signal": signal.SIGABRT, "why": ""}


def test_processor_time_is_limited(tmp_path: Path, limits: Callable[..., None]) -> None:
    limits(reader_cpu_s=1)
    assert refused(long_csv(tmp_path, 1_000_000)).key == "ingest.reader_time"


def test_time_by_the_clock_is_limited(tmp_path: Path, limits: Callable[..., None]) -> None:
    limits(reader_wall_s=0.01)
    assert refused(long_csv(tmp_path, 400_000)).key == "ingest.reader_time"


def test_open_files_and_dumps_are_limited(tmp_path: Path) -> None:
    server = server_pid()
    file = long_csv(tmp_path, 500_000)
    thread = threading.Thread(target=lambda: apart.read_table_in_child(file, crs=CGCS2000))
    thread.start()

    def limited() -> str | None:
        for pid in children_of(server):
            try:
                said = Path(f"/proc/{pid}/limits").read_text("ascii")
            except OSError:
                continue
            lines = {line[:25].strip(): line[25:].split()[0] for line in said.splitlines()[1:]}
            if lines["Max open files"] == "64":
                return lines["Max core file size"] + lines["Max address space"]
        return None

    said = str(wait_for(limited))
    assert said.startswith("0")
    assert "unlimited" not in said
    thread.join()


def test_more_is_allowed_to_a_larger_file(limits: Callable[..., None]) -> None:
    limits(reader_memory_mb=1000, reader_small_memory_mb=100, reader_memory_per_mb=10)
    small, large, most = (
        apart.ReadingLimits.of(size * 2**20).memory >> 20 for size in (0, 20, 500)
    )
    assert (small, large, most) == (100, 300, 1000)


# --- what dies ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGKILL])
def test_a_reader_that_dies_is_an_error_that_names_the_file(
    tmp_path: Path, number: signal.Signals
) -> None:
    server = server_pid()
    file = long_csv(tmp_path, 500_000)
    caught: list[InputError] = []

    def read() -> None:
        caught.append(refused(file))

    thread = threading.Thread(target=read)
    thread.start()
    pid = wait_for(lambda: children_of(server))[0]
    os.kill(pid, number)
    thread.join()
    assert caught[0].key == "ingest.reader_died"
    small = tmp_path / "b.csv"
    small.write_bytes(valid.csv_file())
    assert len(apart.read_table_in_child(small, crs=CGCS2000).frame) == valid.ROWS


def test_a_server_that_dies_is_started_again(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(valid.csv_file())
    os.kill(server_pid(), signal.SIGKILL)
    assert len(apart.read_table_in_child(file, crs=CGCS2000).frame) == valid.ROWS


_READS = """
import sys
from pathlib import Path
from gis_service.coordinate_systems import CoordinateSystem
from gis_service.ingest.sandbox import client as apart
apart.start_server()
print(apart._server._process.pid, flush=True)
apart.read_table_in_child(Path(sys.argv[1]), crs=CoordinateSystem("cgcs2000"))
"""


def test_a_reading_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    file = long_csv(tmp_path, 2_000_000)
    asking = subprocess.Popen(
        [sys.executable, "-c", _READS, str(file)], stdout=subprocess.PIPE, text=True
    )
    assert asking.stdout is not None
    server = int(asking.stdout.readline())
    reading = wait_for(lambda: children_of(server))[0]
    asking.kill()
    asking.wait()
    asking.stdout.close()
    wait_for(lambda: not any(Path(f"/proc/{pid}/statm").is_file() for pid in (server, reading)))


_FORKS = """
import os, signal, sys
from pathlib import Path
from gis_service.coordinate_systems import CoordinateSystem
from gis_service.ingest.sandbox import client as apart
read = lambda path: apart.read_table_in_child(Path(path), crs=CoordinateSystem("cgcs2000"))
read(sys.argv[1])
print(apart._server._process.pid, flush=True)
job = os.fork()
if job == 0:
    read(sys.argv[2])
    os._exit(0)
print(job, flush=True)
input()
os.kill(job, signal.SIGKILL)
os.waitpid(job, 0)
print(len(read(sys.argv[1]).frame), flush=True)
input()
"""


def test_a_fork_asks_the_same_server_and_its_reading_ends_with_it(tmp_path: Path) -> None:
    small, long = tmp_path / "a.csv", long_csv(tmp_path, 2_000_000)
    small.write_bytes(valid.csv_file())
    asking = subprocess.Popen(
        [sys.executable, "-c", _FORKS, str(small), str(long)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
    )  # fmt: skip
    assert asking.stdin is not None
    assert asking.stdout is not None
    server, job = int(asking.stdout.readline()), int(asking.stdout.readline())
    reading = wait_for(lambda: children_of(server))[0]
    assert server not in children_of(job)
    asking.stdin.write("\n")
    assert int(asking.stdout.readline()) == valid.ROWS
    assert not Path(f"/proc/{reading}").exists()
    assert Path(f"/proc/{server}").exists()
    asking.communicate("\n")
    wait_for(lambda: not Path(f"/proc/{server}/statm").exists())


def test_the_readers_know_no_secret_and_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIS_DATABASE_URL", "postgresql://secret")
    apart.stop_server()
    said = Path(f"/proc/{server_pid()}/environ").read_bytes()
    assert b"secret" not in said
    code = (
        "import sys, gis_service.ingest.sandbox.process;"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"sqlalchemy", "fastapi", "numba", "folium", "psycopg2"} & set(done.stdout.split())


# --- GeoPackage --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "key"),
    [
        (geopackages._view, "ingest.gpkg_odd"),
        (geopackages._contents_view, "ingest.gpkg_odd"),
        (geopackages._other_view, "ingest.gpkg_odd"),
        (geopackages._trigger, "ingest.gpkg_odd"),
        (geopackages._computed, "ingest.gpkg_odd"),
        (geopackages._computed_index, "ingest.gpkg_odd"),
        (geopackages._virtual, "ingest.gpkg_odd"),
        (geopackages._no_contents, "ingest.gpkg_broken"),
    ],
)
def test_a_geopackage_that_would_run_is_refused(
    tmp_path: Path, make: Callable[[Random], bytes], key: str
) -> None:
    file = tmp_path / "a.gpkg"
    file.write_bytes(make(Random(1)))
    assert refused(file).key == key


def test_queries_into_a_geopackage_have_a_deadline(
    tmp_path: Path, limits: Callable[..., None]
) -> None:
    file = tmp_path / "a.gpkg"
    file.write_bytes(valid.geopackage())
    limits(gpkg_s=0.2)
    endless = "WITH RECURSIVE f(n) AS (SELECT 1 UNION ALL SELECT n FROM f) SELECT count(*) FROM f"
    with pytest.raises(InputError) as caught, gpkg.open_gpkg(file, "甲.gpkg") as database:
        database.execute(endless)
    assert caught.value.key == "ingest.gpkg_slow"
    assert "甲.gpkg" in caught.value.say("zh-CN")


def test_a_geopackage_of_gdal_without_its_number_is_taken(tmp_path: Path) -> None:
    file = tmp_path / "upload-without-suffix"
    file.write_bytes(valid.geopackage())
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("PRAGMA application_id = 0")
        triggers = database.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'")
        assert triggers.fetchone()[0] > 5
    database.close()
    before = file.read_bytes()
    table = apart.read_table_in_child(file, crs=None, original_name="a.gpkg")
    assert len(table.frame) == valid.ROWS
    assert file.read_bytes() == before


# --- XLSX and texts ----------------------------------------------------------------------------


@pytest.mark.parametrize("make", [workbooks._far_cell, workbooks._far_cell_written_oddly])
def test_a_sheet_that_reaches_far_is_refused_before_cells_are_made(
    tmp_path: Path, make: Callable[[Random], bytes]
) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(make(Random(1)))
    error = refused(file)
    assert error.key == "ingest.xlsx_extent"
    assert error.place.field == "XFD1048576"


def test_a_workbook_of_thousands_of_sheets_is_refused_before_one_is_opened(tmp_path: Path) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(workbooks._many_sheets(Random(1)))
    assert refused(file).key == "ingest.xlsx_sheets"


def test_a_workbook_is_read_whatever_its_path_is_called(tmp_path: Path) -> None:
    file = tmp_path / "upload-without-suffix"
    file.write_bytes(valid.workbook())
    table = apart.read_table_in_child(file, crs=CGCS2000, original_name="a.xlsx")
    assert len(table.frame) == valid.ROWS


def test_the_cells_of_a_sheet_are_a_setting(tmp_path: Path, limits: Callable[..., None]) -> None:
    file = tmp_path / "a.xlsx"
    file.write_bytes(valid.workbook())
    limits(max_cells=4 * (valid.ROWS + 1))
    assert len(apart.read_table_in_child(file, crs=CGCS2000).frame) == valid.ROWS
    limits(max_cells=4 * (valid.ROWS + 1) - 1)
    assert refused(file).key == "ingest.xlsx_extent"


def test_a_sheet_that_begins_further_down_keeps_its_row_numbers(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for column, value in enumerate(("key", "lon", "lat")):
        sheet.cell(5, 3 + column, value)
        sheet.cell(7, 3 + column, ("a", 112.9, 28.7)[column])
    book.save(tmp_path / "a.xlsx")
    table = files.read_table(tmp_path / "a.xlsx", crs=CGCS2000)
    assert table.rows.tolist() == [7]
    assert table.frame["key"].tolist() == ["a"]


def test_a_csv_is_read_by_blocks(tmp_path: Path) -> None:
    file = long_csv(tmp_path, 100_000)
    tracemalloc.start()
    try:
        table = read_csv(file, file.name, None)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(table.frame) == 100_000
    assert peak < 1.6 * kept  # Python 3.13 holds a little more than 3.11


def test_geojson_in_gbk_is_written_anew_by_blocks(tmp_path: Path) -> None:
    file = tmp_path / "a.geojson"
    name = "幸福路" * 100_000
    text = valid.geojson().decode().replace("幸福路0号", name)
    file.write_bytes(text.encode("gbk"))
    table = files.read_table(file, crs=None)
    assert table.encoding == "GB18030"
    assert table.frame["name"][0] == name
