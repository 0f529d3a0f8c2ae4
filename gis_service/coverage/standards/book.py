"""What "in time" means: standards, speeds and scenarios as data, each number with its source.

The numbers come from ``standards.toml`` beside this module and from the county's own file
(``GIS_STANDARDS_FILE``) over it. Nothing here computes a time.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from gis_service import rule_files
from gis_service.errors import NotFoundError
from gis_service.rule_files import Sourced, Table
from gis_service.settings import number_settings

DEFAULTS: Final = Path(__file__).with_name("standards.toml")
NO_LIMIT: Final = "none"
"""The class of stations whose district may be of any size."""

_IN_CHINESE: Final = Path(__file__).with_name("sources.zh-CN.toml")

Direction = Literal["to_facility", "from_facility"]
Means = Literal["foot", "cycle", "motor"]


Speed = Annotated[float, Field(gt=0, le=300, allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=0, le=1440, allow_inf_nan=False)]


class PlaceRules(Table):
    """How a house or a facility meets the road."""

    snap_cap_m: Sourced[Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    smallest_piece_m: Sourced[Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    off_road_speed_kmh: Sourced[Speed]
    off_road_counts: Sourced[bool]

    @property
    def off_road_minutes_per_m(self) -> float:
        """Minutes for one metre between road and door; 0 where that way does not count."""
        return 0.06 / self.off_road_speed_kmh.value if self.off_road_counts.value else 0.0


class Profile(Table):
    """How something moves: speed by road class in km/h; a class without a speed is closed."""

    name: str
    name_en: str
    means: Means
    obeys_oneway: Sourced[bool]
    obeys_maxspeed: Sourced[bool]
    obeys_turns: Sourced[bool] = Sourced[bool](
        value=True, source="setting: turn restrictions bind all that drive"
    )
    speed_kmh: dict[str, Sourced[Speed]]


class Scenario(Table):
    """What is otherwise than normal."""

    name: str
    name_en: str
    ignores_oneway: Sourced[bool]
    ignores_turns: Sourced[bool] = Sourced[bool](value=False, source="each profile's own rule")
    speed_factor: Sourced[Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]]
    foot_speed_factor: Sourced[Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)]] | None = (
        None
    )

    def factor(self, means: Means) -> float:
        """
        Give what every speed is multiplied by.

        Parameters
        ----------
        means
            On foot, by cycle or by motor; where the scenario says nothing of feet all are slowed
            alike.

        Returns
        -------
        float
            1 is the normal speed.
        """
        if means == "foot" and self.foot_speed_factor is not None:
            return self.foot_speed_factor.value
        return self.speed_factor.value


class Standard(Table):
    """
    Who must be within how many minutes of what.

    ``added_minutes`` are the parts of a limit that are neither turnout nor way, such as the call;
    ``in_main_job`` says whether the main job measures it without being asked.
    """

    name: str
    name_en: str
    profile: str
    direction: Direction
    kinds: Annotated[tuple[str, ...], Field(min_length=1)]
    limit_minutes: Sourced[Annotated[Minutes, Field(gt=0)]]
    turnout_minutes: Sourced[Minutes]
    added_minutes: dict[str, Sourced[Minutes]] = Field(default_factory=dict)
    rule: Sourced[Literal["all", "any"] | Annotated[int, Field(ge=1)]]
    target_share: Sourced[Annotated[float, Field(ge=0, le=1)]]
    in_main_job: bool = True

    @model_validator(mode="after")
    def _rule_fits_kinds(self) -> Self:
        if len(set(self.kinds)) != len(self.kinds):
            message = "kinds names one kind twice"
            raise ValueError(message)
        if isinstance(self.rule.value, int) and self.rule.value > len(self.kinds):
            message = f"rule asks for {self.rule.value} of {len(self.kinds)} kinds"
            raise ValueError(message)
        return self

    @property
    def fixed_minutes(self) -> float:
        """Minutes that count beside turnout and way, whatever the distance."""
        return sum(part.value for part in self.added_minutes.values())

    @property
    def kinds_needed(self) -> int:
        """How many of the kinds must be in time for a household to count as covered."""
        if self.rule.value == "all":
            return len(self.kinds)
        return 1 if self.rule.value == "any" else self.rule.value


class ResponderRule(Table):
    """How somebody who is called comes, and how long until the wheels turn."""

    profile: Sourced[str]
    turnout_minutes: Sourced[Minutes]


class Arrival(Table):
    """Who comes when something happens: kinds of facility, and officers from their duty posts."""

    standard: Sourced[str]
    care_tags: Sourced[tuple[str, ...]]
    comers: dict[str, ResponderRule]


class DistrictRules(Table):
    """How large the district of a station may be, and which pieces and waters count."""

    default_class: Sourced[str]
    large_river_km2: Sourced[Annotated[float, Field(gt=0, allow_inf_nan=False)]]
    smallest_piece_km2: Sourced[Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    area_limit_km2: dict[str, Sourced[Annotated[float, Field(gt=0, allow_inf_nan=False)]]]
    class_of_grade: dict[str, Sourced[str]]

    def limit_km2(self, grade: str) -> float | None:
        """
        Give the largest area of a station's district.

        Parameters
        ----------
        grade
            Of the station, as the facility has it.

        Returns
        -------
        float or None
            Square kilometres; None where no limit is set for such a station.
        """
        named = self.class_of_grade.get(grade, self.default_class).value
        return None if named == NO_LIMIT else self.area_limit_km2[named].value

    def limit_sources(self, grade: str) -> tuple[str, ...]:
        """
        Say why this limit is held against a station's district, or none.

        Parameters
        ----------
        grade
            Of the station, as the facility has it.

        Returns
        -------
        tuple of str
            Where the limit comes from, if there is one, and why the station is of its class.
        """
        named = self.class_of_grade.get(grade, self.default_class)
        if named.value == NO_LIMIT:
            return (named.source,)
        return (self.area_limit_km2[named.value].source, named.source)

    @model_validator(mode="after")
    def _classes_are_there(self) -> Self:
        for named in (self.default_class, *self.class_of_grade.values()):
            if named.value != NO_LIMIT and named.value not in self.area_limit_km2:
                message = f"districts names the class {named.value}, which has no area limit"
                raise ValueError(message)
        return self


class StandardBook(Table):
    """All that is set: places, profiles, scenarios, standards, who comes, districts."""

    place: PlaceRules
    profiles: dict[str, Profile]
    scenarios: dict[str, Scenario]
    standards: dict[str, Standard]
    arrival: Arrival
    districts: DistrictRules

    @model_validator(mode="after")
    def _names_meet(self) -> Self:
        for code, standard in self.standards.items():
            if standard.profile not in self.profiles:
                message = f"standard {code} names the profile {standard.profile}, which is not set"
                raise ValueError(message)
        for kind, responder in self.arrival.comers.items():
            if responder.profile.value not in self.profiles:
                message = f"arrival names the profile {responder.profile.value} for {kind}: not set"
                raise ValueError(message)
        if self.arrival.standard.value not in self.standards:
            message = f"arrival names the standard {self.arrival.standard.value}, which is not set"
            raise ValueError(message)
        if "normal" not in self.scenarios:
            message = "the scenario normal is missing"
            raise ValueError(message)
        return self

    def standard(self, code: str) -> Standard:
        """
        Find one standard.

        Parameters
        ----------
        code
            Such as ``fire-20``.

        Returns
        -------
        Standard
            As it is set.

        Raises
        ------
        NotFoundError
            No standard has this code.
        """
        if code not in self.standards:
            raise NotFoundError(
                "coverage.no_standard", standard=code, known=", ".join(self.standards)
            )
        return self.standards[code]

    def scenario(self, code: str) -> Scenario:
        """
        Find one scenario.

        Parameters
        ----------
        code
            Such as ``normal``.

        Returns
        -------
        Scenario
            As it is set.

        Raises
        ------
        NotFoundError
            No scenario has this code.
        """
        if code not in self.scenarios:
            raise NotFoundError(
                "coverage.no_scenario", scenario=code, known=", ".join(self.scenarios)
            )
        return self.scenarios[code]


def collect_parameters(
    book: StandardBook, standard_code: str, scenario: str = "normal"
) -> dict[str, Any]:
    """Put together every number that a run depends on, as it is stored with it."""
    standard = book.standard(standard_code)
    return {
        "standard": standard.model_dump(mode="json"),
        "scenario": book.scenario(scenario).model_dump(mode="json"),
        "profile": book.profiles[standard.profile].model_dump(mode="json"),
        "place": book.place.model_dump(mode="json"),
    }


def read_standards(county_file: Path | None = None) -> StandardBook:
    """Read the numbers of the product, and the county's own over them."""
    return rule_files.read_rules(StandardBook, DEFAULTS, county_file, "GIS_STANDARDS_FILE")


@cache
def _chinese_sources() -> dict[str, str]:
    return rule_files.read_toml(_IN_CHINESE, "GIS_STANDARDS_FILE")


def translate_source(source: str, language: str) -> str:
    """
    Say where a number comes from.

    Parameters
    ----------
    source
        As it stands beside the number.
    language
        ``zh-CN`` or ``en``.

    Returns
    -------
    str
        In that language where the product speaks; a county's own words are left as they are.
    """
    return _chinese_sources().get(source, source) if language == "zh-CN" else source


def translate_sources(table: Mapping[str, Any], language: str) -> dict[str, Any]:
    """
    Say all sources of a table in a language.

    Parameters
    ----------
    table
        Of a standard, scenario or profile, as plain values.
    language
        ``zh-CN`` or ``en``.

    Returns
    -------
    dict
        The same, its sources by `translate_source`.
    """
    return {
        name: translate_source(inner, language)
        if name == "source"
        else translate_sources(inner, language)
        if isinstance(inner, Mapping)
        else inner
        for name, inner in table.items()
    }


@cache
def standard_book() -> StandardBook:
    """
    Read the standards in force once a process.

    Returns
    -------
    StandardBook
        As the settings stood at the first call.
    """
    return read_standards(number_settings().standards_file)
