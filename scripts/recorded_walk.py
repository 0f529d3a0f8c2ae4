"""Walk through the API as every role and write down each answer, to compare two states of the code.

The walk is the same at every run: what it asks for comes from answers before, always the first and
the last of a list. Moments of today and what the database counts by itself (row versions, tokens)
are not compared; everything else is, byte for byte.
"""

import argparse
import base64
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import requests

_PATIENCE_S: Final = 120
_WORDS: Final = (
    "东街",
    "幸福",
    "卫生院",
    "13900000021",
    "990101",
    "没有这样的地方",
    "12号",
    "Fire",
    "",
)
_KINDS: Final = (
    "officer", "leave", "duty", "facility", "building", "household", "premises", "hazard",
)  # fmt: skip
_THEMES: Final = ("households", "people", "incidents", "no_such_theme")
_TILES: Final = ((12, 3332, 1706), (14, 13330, 6827), (15, 26660, 13654))
_NOW: Final = re.compile(r"20\d\d-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_CHANGING: Final = (
    (re.compile(r'("(?:version|token|uptime_s|seconds|took_ms|etag)": ?)("[^"]*"|[\d.]+)'), r"\1…"),
    (re.compile(r"\b[0-9a-f]{32}\b|\bhand-[0-9a-f]{12}\b"), "…"),
)
_HEADERS: Final = ("content-type", "content-disposition", "location", "cache-control", "allow")


class Walk:
    """
    One walk.

    Parameters
    ----------
    url
        Of the service.
    book
        A line of JSON is written here for each answer.
    """

    def __init__(self, url: str, book: Path) -> None:
        self._url = url
        self._lines = book.open("w", encoding="utf-8")
        self._session = requests.Session()
        self._role = ""
        self._headers: dict[str, str] = {}
        self._count = 0

    def go(self) -> int:
        """Ask everything; tell how many answers were written down."""
        actors = self._session.get(f"{self._url}/api/actors", timeout=_PATIENCE_S).json()
        for actor in [{"actor_id": None, "role": "nobody named"}, *actors]:
            self._role = actor["role"]
            named = actor["actor_id"] is not None
            self._headers = {"X-GIS-Actor": str(actor["actor_id"])} if named else {}
            self._reads()
        for actor in actors:
            self._role = actor["role"]
            self._headers = {"X-GIS-Actor": str(actor["actor_id"])}
            self._writes()
        self._lines.close()
        return self._count

    def _ask(self, path: str, body: Any = None, *, method: str = "", **query: object) -> Any:
        """Ask, write the answer down, and give it where it is JSON."""
        if query:
            path = f"{path}?{urlencode(query, quote_via=quote)}"
        method = method or ("GET" if body is None else "POST")
        headers = self._headers | {"Idempotency-Key": f"walk-{self._count:05d}-{'0' * 22}"}
        if isinstance(body, dict) and "If-Match" in body:
            headers["If-Match"] = body.pop("If-Match")
        answer = self._session.request(
            method, self._url + path, json=body, headers=headers, timeout=_PATIENCE_S
        )
        kept = {name: answer.headers[name] for name in _HEADERS if name in answer.headers}
        kind = kept.get("content-type", "")
        is_text = kind.startswith("text/") or "json" in kind or "csv" in kind
        text = answer.text.replace(self._url, "") if is_text else ""
        said = text if is_text else base64.b64encode(answer.content).decode()
        line = [self._count, self._role, method, path, answer.status_code, kept, said]
        self._lines.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._count += 1
        try:
            return answer.json()
        except ValueError:
            return None

    # --- reads -----------------------------------------------------------------------------------

    def _reads(self) -> None:
        for path in (
            "/api/actors", "/api/actors/current", "/api/base", "/api/schemes", "/api/overview",
            "/api/examples", "/api/entry", "/api/imports/kinds", "/api/incidents/kinds",
            "/api/layers/land", "/api/layers/facilities", "/api/layers/hazards",
            "/api/layers/incidents", "/api/layers/places", "/api/plans", "/api/versions",
            "/api/coverage/standards", "/api/coverage/scenarios", "/api/coverage/profiles",
            "/api/coverage/runs", "/api/incidents", "/api/incidents/waiting", "/api/hazards",
            "/api/imports", "/open311/discovery.json", "/open311/v2/services.json",
            "/open311/v2/requests.json", "/api/no-such-path", "/",
        ):  # fmt: skip
            self._ask(path)
        self._ask("/api/working-days", **{"from": "2026-09-28", "to": "2026-10-12"})
        self._ask("/api/coverage/standards", lang="en")
        for word in _WORDS:
            self._ask("/api/search", q=word)
        self._grids()
        self._places()
        self._coverage()
        for kind in _KINDS:
            for row in _ends(self._ask(f"/api/entry/{kind}", limit=5)):
                self._ask(f"/api/entry/{kind}/{row['id']}")
        for row in _ends(self._ask("/api/incidents", status="open", limit=20)):
            self._ask(f"/api/incidents/{row['incident_id']}")
            self._ask(f"/api/incidents/{row['incident_id']}/allowed")
        for z, x, y in _TILES:
            for layer in ("grids", "roads", "buildings", "land"):
                self._ask(f"/api/tiles/{layer}/{z}/{x}/{y}.pbf")

    def _grids(self) -> None:
        for rank in (1, 2, 3):
            for row in _ends(self._ask("/api/grids", rank=rank, limit=50)):
                grid_id = row["grid_id"]
                self._ask(f"/api/grids/{grid_id}")
                self._ask(f"/api/grids/{grid_id}", at="2025-03-01")
                self._ask("/api/households", grid_id=grid_id, limit=20)
                self._ask("/api/hazards", grid_id=grid_id)
                self._ask(f"/api/layers/grids/{grid_id}")
            for theme in _THEMES:
                self._ask("/api/layers/figures", rank=rank, theme=theme)
        self._ask("/api/layers/grids", rank=1)
        self._ask("/api/grids/999999999")
        self._ask("/api/grids", q="东街", limit=5)

    def _places(self) -> None:
        for lon, lat in ((112.906, 28.705), (112.95, 28.75), (116.4, 39.9)):
            self._ask("/api/locate", lon=lon, lat=lat)
            self._ask("/api/locate", lon=lon, lat=lat, at="2025-03-01", crs="gcj02")
            self._ask("/api/arrivals", lon=lon, lat=lat)
            day = "2026-11-29T12:00:00+08:00"
            self._ask("/api/incidents/duplicates", kind="dispute", lon=lon, lat=lat, at=day)
        self._ask("/api/locate", text="112.906, 28.705")
        self._ask("/api/locate", lon="east", lat=1)

    def _coverage(self) -> None:
        for run in _ends(self._ask("/api/coverage/runs", limit=10)):
            path = f"/api/coverage/runs/{run['run_id']}"
            self._ask(path)
            self._ask(f"{path}/figures", rank=2)
            self._ask(f"{path}/blind-spots", limit=5)
            self._ask(f"{path}/unreached", limit=5)
            for row in _ends(self._ask("/api/grids", rank=3, limit=3)):
                self._ask(f"{path}/grids/{row['grid_id']}")
        self._ask("/api/coverage/districts", standard="fire-20")
        self._ask("/api/coverage/enclaves", standard="fire-20")
        self._ask("/api/reports/coverage/pages", standard="fire-20")

    # --- writes ----------------------------------------------------------------------------------

    def _writes(self) -> None:
        place = {"lon": 112.906, "lat": 28.705, "crs": "cgcs2000"}
        values: dict[str, dict[str, object]] = {
            "building": {"point": place, "kind": "residential", "name": "新楼", "storeys": 3},
            "household": {"point": place, "people": 2, "head_name": "李四", "phone": "13900000077"},
            "officer": {"name": "王五", "phone": "13900000078", "first_day": "2026-01-01"},
            "facility": {"point": place, "kind": "fire_station", "name": "新站"},
            "hazard": {
                "point": place,
                "kind": "wiring",
                "found_on": "2026-11-01",
                "due_on": "2026-12-01",
            },
        }
        for kind, given in values.items():
            saved = self._ask(f"/api/entry/{kind}", {"values": given}) or {}
            self._ask(f"/api/entry/{kind}", {"values": {**given, "no_such_field": 1}})
            record = saved.get("record") or {}
            if "id" in record:
                path = f"/api/entry/{kind}/{record['id']}"
                change = {"values": {"name": "改名"}, "If-Match": f'"{record["version"]}"'}
                saved = self._ask(path, change, method="PATCH") or {}
                self._ask(f"/api/entry/undo/{saved.get('change_id', 1)}", {})
        station = {
            "kind": "add_station",
            "facility_kind": "fire_station",
            "lon": 112.95,
            "lat": 28.75,
        }
        asked = {"standard": "fire-20", "scenario": "normal", "changes": [station]}
        self._ask("/api/coverage/what-if", asked)
        self._incident(place)
        self._plan()

    def _incident(self, place: dict[str, object]) -> None:
        made = self._ask("/api/incidents", {"kind": "dispute", **place, "text": "楼道堆物"}) or {}
        if "incident_id" in made:
            path = f"/api/incidents/{made['incident_id']}"
            moves = self._ask(f"{path}/allowed") or {}
            for move in moves.get("allowed", [])[:2]:
                self._ask(f"{path}/steps", {"move": move["move"], "note": "看过了"})
            self._ask(path)

    def _plan(self) -> None:
        made = self._ask("/api/plans", {"scheme": "base", "title": "走一遍", "reason": "试"}) or {}
        if "plan_id" not in made:
            return
        path = f"/api/plans/{made['plan_id']}"
        self._until_ready(path)
        opened = self._ask(path) or {}
        grid = self._ask("/api/grids", rank=3, limit=1)["items"][0]
        key = str(grid["grid_id"])
        self._ask(f"{path}/faces", village=str(grid["parent_grid_id"]))
        edges = self._ask(f"{path}/edges", grid=key) or {}
        features = edges.get("features") or []
        if features:
            line = features[0]["geometry"]["coordinates"]
            lon, lat = line[len(line) // 2]
            corners = ((-1, -1), (1, -1), (1, 1), (-1, 1), (-1, -1))
            ring = [[lon + 0.0006 * x, lat + 0.0006 * y] for x, y in corners]
            region = {"type": "Polygon", "coordinates": [ring]}
            edit = {"rev": opened["rev"], "edit": {"kind": "give", "to": key, "region": region}}
            self._ask(f"{path}/preview", edit)
            edited = self._ask(f"{path}/edits", edit) or {}
            self._ask(f"{path}/checks")
            self._ask(f"{path}/impact")
            self._ask(f"{path}/undo", {"rev": edited.get("rev", 0)})
            self._ask(path)
        self._ask(f"{path}/discard", {"text": ""})
        self._ask(path)

    def _until_ready(self, path: str) -> None:
        """Wait for a plan's base, read when first asked for; the waiting is not written down."""
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            answer = self._session.get(
                f"{self._url}{path}/checks", headers=self._headers, timeout=_PATIENCE_S
            )
            if answer.status_code != 503:
                return
            time.sleep(0.5)


def _ends(answer: Any) -> Iterator[dict[str, Any]]:
    """Give the first and the last row of a list or a page."""
    rows = answer.get("items", []) if isinstance(answer, dict) else answer or []
    yield from rows[:1]
    if len(rows) > 1:
        yield rows[-1]


def _comparable(line: str) -> tuple[tuple[Any, ...], str]:
    number, role, method, path, status, headers, said = json.loads(line)
    said = _NOW.sub("<moment>", said)
    for form, into in _CHANGING:
        said = form.sub(into, said)
    return (number, role, method, path), json.dumps([status, headers, said], ensure_ascii=False)


def compare(before: Path, after: Path) -> int:
    """
    Print each answer that differs.

    Parameters
    ----------
    before, after
        Books of two walks.

    Returns
    -------
    int
        How many differ, or stand in one book only.
    """
    old, new = (
        dict(map(_comparable, book.read_text("utf-8").splitlines())) for book in (before, after)
    )
    differing = [key for key in old | new if old.get(key) != new.get(key)]
    for key in differing:
        print(*key)
        a, b = (book.get(key, "(not asked)") for book in (old, new))
        begin = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), 0)
        for one in (a, b):
            print("   ", one[max(0, begin - 60) : begin + 200])
    print(f"{len(old)} answers, {len(old) - len(differing)} equal")
    return len(differing)


def main() -> None:
    """Walk, or compare two walks."""
    parser = argparse.ArgumentParser(prog="scripts/walk")
    parser.add_argument("--compare", action="store_true", help="compare two books")
    parser.add_argument("first", help="the service's address; with --compare the first book")
    parser.add_argument("second", type=Path, help="the book to write; with --compare the second")
    asked = parser.parse_args()
    if asked.compare:
        raise SystemExit(1 if compare(Path(asked.first), asked.second) else 0)
    print(f"{Walk(asked.first.rstrip('/'), asked.second).go()} answers written down")


if __name__ == "__main__":
    main()
