"""A report's values in the reader's language: numbers, dates, sentences, assumptions, notes.

Every view of a report (paper, page, workbook) takes its words from here, so that all say the same.
"""

import calendar
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from gis_service import __version__
from gis_service.coverage.areas.answers import NamedDistrict
from gis_service.coverage.standards.book import translate_source
from gis_service.messages import Language, all_texts, text
from gis_service.reports.facts import CHINA, Facts, FigureLine, LevelFigures
from gis_service.store.tables import ROAD_CLASSES

_SETTINGS: Final = ("standard", "profile", "scenario", "place")
_NAMES: Final = frozenset({"name", "name_en", "profile", "speed_kmh", "means", "in_main_job"})
_ORDER: Final = ("limit_minutes", "turnout_minutes", "direction", "kinds", "rule", "target_share")
_UNITS: Final = (("_minutes", "minutes_value"), ("_kmh", "kmh_value"), ("_m", "metres_value"))


@dataclass(frozen=True)
class Setting:
    """A number that the figures depend on."""

    name: str
    # As it is stored, for programs.
    value: float | str | bool
    text: str
    source: str


@dataclass(frozen=True)
class Writer:
    """Says what the facts are."""

    facts: Facts
    language: Language
    # Who answers for the report; empty is the county.
    maker: str = ""

    def say(self, key: str, **values: object) -> str:
        """Say a text of this room."""
        return text(f"reports.{key}", self.language, **values)

    def named(self, settings: Mapping[str, Any]) -> str:
        """Name a standard, a profile or a scenario."""
        name = settings["name" if self.language == "zh-CN" else "name_en"]
        return str(name or settings["name"])

    def level(self, level: LevelFigures) -> str:
        """Name a level of grids."""
        return level.label if self.language == "zh-CN" else level.label_en

    def level_of(self, rank: int) -> str:
        """Name the level of a rank."""
        return next(self.level(level) for level in self.facts.levels if level.rank == rank)

    def kind(self, kind: str) -> str:
        """Name a kind of facility."""
        return text(f"page.kind_{kind}", self.language)

    def day(self, day: date) -> str:
        """Write a date as people of the language do."""
        month = calendar.month_name[day.month] if self.language == "en" else day.month
        return self.say("date", year=day.year, month=month, day=day.day)

    def count(self, number: int | None) -> str:
        """Write a count, or that it is hidden."""
        return self.say("hidden_sign") if number is None else f"{number:,}"

    def share(self, line: FigureLine) -> str:
        """Write a share in percent; nothing where nobody lives."""
        if line.n == 0:
            return ""
        if line.share is None:
            return self.say("hidden_sign")
        return self.percent(line.share)

    def percent(self, share: float) -> str:
        """Write a share with one decimal, never rounded up to all; the least is below a tenth."""
        tenths = round(1000 * share)
        if share < 1:
            tenths = min(tenths, 999)
        if share > 0 and not tenths:
            return "<0.1%"
        return f"{tenths / 10:.1f}%"

    def minutes(self, minutes: float | None) -> str:
        """Write minutes with one decimal."""
        return self.say("hidden_sign") if minutes is None else f"{minutes:,.1f}"

    def limit(self) -> str:
        """Write the limit in minutes."""
        return f"{self.facts.limit_minutes:g}"

    def target(self) -> str:
        """Write the target share."""
        return f"{100 * self.facts.target_share:g}%"

    def version(self) -> str:
        """Name the version of the boundaries."""
        version = self.facts.version
        return self.say("version_value", title=version.title, day=self.day(version.effective_day))

    def network(self) -> str:
        """Name the road network."""
        network = self.facts.network
        return self.say("no_network") if network is None else network.name

    def title(self) -> str:
        """Name the report."""
        return self.say("title", standard=self.named(self.facts.standard))

    def off_road(self) -> str:
        """State the rule for the way between road and door."""
        place = self.facts.run.parameters["place"]
        key = "off_road_counted" if place["off_road_counts"]["value"] else "off_road_not_counted"
        return self.say(
            key,
            speed=f"{place['off_road_speed_kmh']['value']:g}",
            cap=f"{place['snap_cap_m']['value']:g}",
        )

    def heads(self) -> list[tuple[str, str]]:
        """State what the report stands on, in short: name and value."""
        facts, parameters = self.facts, self.facts.run.parameters
        code = self.say("code_value", name=self.named(facts.standard), code=facts.run.standard)
        scenario = self.say(
            "code_value", name=self.named(parameters["scenario"]), code=facts.run.scenario
        )
        at = facts.run.finished_at.astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S UTC+8")
        roads = facts.network.data_day if facts.network else None
        values = {
            "data_day": self.say(
                "data_day_value",
                day=self.day(facts.data_day),
                roads=self.day(roads) if roads else self.say("roads_undated"),
            ),
            "standard": code,
            "scenario": scenario,
            "profile": self.named(parameters["profile"]),
            "network": self.network(),
            "boundaries": self.version(),
            "off_road": self.off_road(),
            "datum": self.say("datum_value"),
            "software": self.say("software_value", version=facts.run.software_version),
            "run": str(facts.run.run_id),
            "finished_at": at,
            "fingerprint": facts.run.fingerprint,
            "maker": self.maker or facts.county,
        }
        if facts.run.software_version != __version__:  # measured by one release, printed by another
            printed = self.say("software_value", version=__version__)
            values["software"] += f" → {printed}"
        return [(self.say(name), value) for name, value in values.items()]

    def settings(self) -> list[Setting]:
        """List every number that the figures depend on, each with its source."""
        rows: list[Setting] = []
        for group in _SETTINGS:
            settings = self.facts.run.parameters[group]
            for name in sorted(settings, key=_place_of):
                if name not in _NAMES:
                    rows += self._setting(name, settings[name])
        return rows

    def _setting(self, name: str, value: Any) -> Iterator[Setting]:
        source = ""
        if value is None:
            return
        if isinstance(value, Mapping):
            if "value" not in value:  # a table of its own
                for inner, inner_value in value.items():
                    yield from self._setting(inner, inner_value)
                return
            source = translate_source(str(value.get("source", "")), self.language)
            value = value["value"]
        label = all_texts(self.language).get(f"reports.set_{name}", name.replace("_", " "))
        stored = value if isinstance(value, (bool, int, float)) else self._say_value(name, value)
        yield Setting(label, stored, self._say_value(name, value), source)

    def _say_value(self, name: str, value: Any) -> str:
        if isinstance(value, bool):
            return self.say("yes" if value else "no")
        if name == "rule":
            return self.rule()
        if name == "kinds":
            return self.kinds()
        if name == "direction":
            return self.say(f"direction_{value}")
        if isinstance(value, (list, tuple)):
            return self.say("list_comma").join(str(item) for item in value)
        if isinstance(value, (int, float)):
            if name.endswith("_share"):
                return f"{100 * value:g}%"
            unit = next((key for ending, key in _UNITS if name.endswith(ending)), "")
            return self.say(unit, n=f"{value:g}") if unit else f"{value:g}"
        return str(value)

    def speeds(self) -> list[tuple[str, float, str]]:
        """List the speeds by class of road."""
        table = self.facts.run.parameters["profile"]["speed_kmh"]
        return [
            (
                self.road_class(name),
                float(table[name]["value"]),
                translate_source(str(table[name]["source"]), self.language),
            )
            for name in sorted(table, key=_class_of)
        ]

    def road_class(self, name: str) -> str:
        """Name a class of road; one that a county added has its own name only."""
        return self.say(f"class_{name}") if name in ROAD_CLASSES else name

    def kinds(self) -> str:
        """Name the kinds of facility."""
        comma = self.say("list_comma")
        names = [self.kind(kind) for kind in self.facts.run.kinds]
        return comma.join(names if self.language == "zh-CN" else [name.lower() for name in names])

    def rule(self) -> str:
        """Say how many of the kinds must be in time."""
        rule = self.facts.standard["rule"]["value"]
        if isinstance(rule, str):
            return self.say(f"rule_{rule}")
        return self.say("rule_some", n=rule, all=len(self.facts.run.kinds))

    def station_of(self, district: NamedDistrict) -> str:
        """Name the station of a district, or say that the ground is nobody's."""
        if district.facility_id is None:
            return self.say("district_nobody")
        return district.name or self.kind(self.facts.run.kinds[0])

    def verdict(self, district: NamedDistrict) -> str:
        """Say how the area of a district compares with its limit."""
        if district.facility_id is None:
            return ""
        if district.limit_km2 is None:
            return self.say("district_no_limit")
        return self.say("district_too_large" if district.too_large else "district_fits")

    def limit_source(self, district: NamedDistrict) -> str:
        """Say where the limit of a district comes from, or why none is held against it."""
        sources = [translate_source(source, self.language) for source in district.limit_sources]
        return self.say("list_pause").join(sources)

    def limits(self) -> list[str]:
        """
        List the limits that districts were held against.

        Returns
        -------
        list of str
            One line a limit: for how many stations it is, and its source; the smallest first.
        """
        of_stations = [
            district for district in self.facts.districts if district.facility_id is not None
        ]
        counts = Counter(
            (
                math.inf if district.limit_km2 is None else district.limit_km2,
                self.limit_source(district),
            )
            for district in of_stations
        )
        return [
            self.say(
                "district_limit_none" if limit == math.inf else "district_limit_of",
                limit=f"{limit:g}",
                stations=stations,
                source=source,
            )
            for (limit, source), stations in sorted(counts.items())
        ]

    def crossings(self, district: NamedDistrict) -> str:
        """Name the barriers that a district crosses, with the ground beyond each."""
        barriers = [
            self.say(
                "district_crossing",
                name=crossing["name"] or self.say(f"barrier_{crossing['kind']}"),
                area=f"{crossing['beyond_km2']:,.1f}",
            )
            for crossing in district.crosses
        ]
        return self.say("list_comma").join(barriers)

    def enclaves(self, district: NamedDistrict) -> str:
        """Name the pieces that lie apart from a district's own, with their areas."""
        pieces = [
            self.say("district_piece", name=piece.name, area=f"{piece.area_km2:,.1f}")
            for piece in district.detached
        ]
        return self.say("list_comma").join(pieces)

    def sentences(self) -> list[str]:
        """Say what came out."""
        whole, facts = self.facts.whole, self.facts
        sentences = []
        if whole.n == 0:
            return [self.say("says_none")]
        if whole.status != "ok":
            sentences.append(self.say(f"status_{whole.status}"))
        if whole.n is None or whole.covered is None or whole.share is None:
            sentences.append(self.say("says_hidden", n=self.count(whole.n)))
        else:
            rests = [
                self.say(f"rest_{name}", n=f"{number:,}")
                for name in ("too_far", "unreachable", "off_network")
                if (number := getattr(whole, name))
            ]
            key = "says_to" if facts.standard["direction"] == "to_facility" else "says_from"
            sentences.append(
                self.say(
                    key,
                    n=f"{whole.n:,}",
                    covered=f"{whole.covered:,}",
                    share=self.percent(whole.share),
                    minutes=self.limit(),
                    kinds=self.kinds(),
                    rule=self.rule(),
                    rest=self.say("comma").join(rests) or self.say("rest_all"),
                )
            )
        return [*sentences, *self._targets()]

    def _targets(self) -> Iterator[str]:
        rank = self.facts.levels[1].rank
        shares = [line.share for line in self.facts.of_rank(rank) if line.share is not None]
        reached = sum(share >= self.facts.target_share for share in shares)
        if shares:
            yield self.say(
                "says_target",
                target=self.target(),
                level=self.level_of(rank),
                reached=reached,
                missed=len(shares) - reached,
            )

    def compared_with(self) -> list[str]:
        """Say with which run this one is compared, and what both stand on."""
        before = self.facts.before
        if before is None:
            return []
        scenario = self.named(before.run.parameters["scenario"])
        changes = [
            self.say("scenario")
            if part == "scenario"
            else text(f"coverage.stale_{part}", self.language)
            for part in before.differs
        ]
        what = self.say("comma").join(changes)
        return [
            self.say(
                "compared_text", run=before.run.run_id, day=self.day(before.day), scenario=scenario
            ),
            self.say("compared_changes", what=what) if changes else self.say("compared_same"),
        ]

    def notes(self) -> list[str]:
        """
        Say what was left out, and what a reader must know of it.

        Returns
        -------
        list of str
            Whole sentences.
        """
        facts, summary = self.facts, self.facts.run.summary
        notes = []
        if facts.stale:
            changes = [text(f"coverage.stale_{part}", self.language) for part in facts.stale]
            notes.append(self.say("stale", what=self.say("comma").join(changes)))
        if facts.network is not None:
            notes.append(self.say("left_clipped" if facts.network.clipped else "left_not_clipped"))
        for kind in facts.run.kinds:
            if summary["facilities"].get(kind, 0) == 0:
                notes.append(self.say("left_no_facility", kind=self.kind(kind)))
            off = summary["facilities_off_network"].get(kind, 0)
            if off:
                notes.append(self.say("left_facilities", kind=self.kind(kind), n=off))
        whole, outside = facts.whole, facts.outside
        late = (whole.too_far, whole.unreachable, whole.off_network)
        if None not in late:
            too_far, unreachable, off_network = (self.count(number) for number in late)
            notes.append(
                self.say(
                    "left_households",
                    too_far=too_far,
                    unreachable=unreachable,
                    off_network=off_network,
                )
            )
        if outside is not None:
            key = "left_outside_hidden" if outside.n is None else "left_outside"
            notes.append(self.say(key, n=self.count(outside.n)))
        notes += [note.say(self.language) for note in facts.region_notes]
        notes.append(self.say("left_waiting"))
        notes.append(self.say("left_personal"))
        lines = [line for line in facts.lines[""] if line.n != 0]
        hidden = sum(line.hidden for line in lines)
        if hidden:
            notes.append(self.say("hidden_note"))
            notes.append(self.say("hidden_count", n=f"{hidden:,}", all=f"{len(lines):,}"))
        return notes


def _place_of(name: str) -> tuple[int, str]:
    """Put a setting where a reader looks for it: the store keeps no order."""
    return (_ORDER.index(name) if name in _ORDER else len(_ORDER), name)


def _class_of(road_class: str) -> tuple[int, str]:
    rank = ROAD_CLASSES.index(road_class) if road_class in ROAD_CLASSES else len(ROAD_CLASSES)
    return rank, road_class


@dataclass(frozen=True)
class Compared:
    """One grid in both runs; what is hidden in either is None."""

    name: str
    covered: tuple[int | None, int | None]
    share: tuple[float | None, float | None]


def compare_grids(facts: Facts) -> list[Compared]:
    """Put the county and its highest grids beside themselves in the run to compare with."""
    if facts.before is None:
        return []
    grids = []
    for line in (facts.whole, *facts.of_rank(facts.levels[1].rank)):
        before = facts.before.lines.get(line.grid_id)
        was = (before.covered, before.share) if before else (None, None)
        grids.append(Compared(line.name, (was[0], line.covered), (was[1], line.share)))
    return grids


def order_worst_first(lines: list[FigureLine]) -> list[FigureLine]:
    """Order grids by their share, the lowest first."""
    return sorted(lines, key=lambda line: (line.share is None, line.share or 0.0, line.code))
