"""How incidents are handled, as data: moves by state and role, deadlines, kinds, limits.

All of it comes from ``rules.toml`` beside this module and from the county's own file
(``GIS_INCIDENT_RULES_FILE``) over it. Nothing here reads or writes the store.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal, Self, cast

from pydantic import Field, model_validator

from gis_service import rule_files
from gis_service.roles import Role
from gis_service.rule_files import Sourced, Table
from gis_service.settings import incident_settings

DEFAULTS: Final = Path(__file__).with_name("rules.toml")
TIERS: Final = ("village", "town", "county")

State = Literal["reported", "accepted", "dispatched", "handled", "verified", "closed", "returned"]
Tier = Literal["village", "town", "county"]
Days = Annotated[int, Field(ge=0, le=250)]

CLOCK_RUNS: Final = frozenset({"reported", "accepted", "dispatched", "returned"})
"""States in which the deadline counts: what is handled waits for somebody else to verify it."""


class Deadlines(Table):
    """Working days by tier, and when to warn."""

    working_days: dict[Tier, Sourced[Days]]
    pass_up_working_days: Sourced[Days]
    soon_working_days: Sourced[Days]
    flagged_above_returns: Sourced[Annotated[int, Field(ge=0, le=100)]]

    @model_validator(mode="after")
    def _every_tier(self) -> Self:
        if set(self.working_days) != set(TIERS):
            message = "working_days must name village, town and county"
            raise ValueError(message)
        return self


class ReportingRules(Table):
    """Who may report; anyone who may talk to us by Open311 reports there."""

    roles: tuple[Role, ...]
    open311_roles: tuple[Role, ...]


class Duplicates(Table):
    """How near two reports of one thing are."""

    radius_m: Sourced[Annotated[float, Field(gt=0, le=50_000, allow_inf_nan=False)]]
    hours: Sourced[Annotated[float, Field(gt=0, le=24 * 366, allow_inf_nan=False)]]


class Photos(Table):
    """What a photo may be."""

    most_bytes: Sourced[Annotated[int, Field(gt=0, le=100_000_000)]]
    most_pixels: Sourced[Annotated[int, Field(gt=0, le=200_000_000)]]
    longest_side: Sourced[Annotated[int, Field(ge=100, le=10_000)]]
    most_per_step: Sourced[Annotated[int, Field(ge=1, le=50)]]


class Transition(Table):
    """One thing that may be done; several entries of one name add up."""

    move: Annotated[str, Field(pattern="^[a-z_]{1,30}$")]
    from_: Annotated[tuple[State, ...], Field(alias="from", min_length=1)]
    to: State | None = None
    roles: Annotated[tuple[Role, ...], Field(min_length=1)]
    tiers: tuple[Tier, ...] = TIERS
    hands_to: Literal["same", "above"] = "same"
    needs_note: bool = False
    needs_department: bool = False
    needs_duplicate: bool = False
    restarts_clock: bool = False
    counts_as_return: bool = False
    on_spot: bool = False


class AttributeValue(Table):
    """One answer of a list."""

    key: Annotated[str, Field(min_length=1)]
    name: str
    name_en: str


class Attribute(Table):
    """A question that belongs to a kind, as Open311 asks it."""

    code: Annotated[str, Field(pattern="^[A-Za-z0-9_]{1,40}$")]
    datatype: Literal["string", "number", "datetime", "text", "singlevaluelist", "multivaluelist"]
    required: bool = False
    description: str
    description_en: str
    values: tuple[AttributeValue, ...] = ()

    @model_validator(mode="after")
    def _lists_have_values(self) -> Self:
        if self.datatype.endswith("list") != bool(self.values):
            message = "a list has values, nothing else does"
            raise ValueError(message)
        return self


class Kind(Table):
    """A kind of incident."""

    name: str
    name_en: str
    group: str
    group_en: str
    keywords: tuple[str, ...] = ()
    on_spot: Sourced[bool]
    working_days: dict[Tier, Sourced[Days]] = Field(default_factory=dict)
    attributes: tuple[Attribute, ...] = ()


class RuleBook(Table):
    """All that is set about incidents."""

    deadlines: Deadlines
    reports: ReportingRules
    duplicates: Duplicates
    photos: Photos
    moves: Annotated[tuple[Transition, ...], Field(min_length=1)]
    kinds: Annotated[dict[str, Kind], Field(min_length=1)]

    def working_days(self, kind: str, tier: str) -> int:
        """
        Say how many working days a tier has for a kind.

        Parameters
        ----------
        kind
            Any; one that is not set has the tier's own days.
        tier
            ``village``, ``town`` or ``county``.

        Returns
        -------
        int
            Working days after the day on which the tier got it.
        """
        rules = self.kinds.get(kind)
        own_days = rules.working_days if rules else {}
        known_tier = cast("Tier", tier)
        days = own_days.get(known_tier) or self.deadlines.working_days[known_tier]
        return int(days.value)

    def allowed(self, state: str, tier: str, role: str, kind: str) -> list[Transition]:
        """List what a role may do with an incident."""
        rules = self.kinds.get(kind)
        small = rules is None or rules.on_spot.value
        return [
            move
            for move in self.moves
            if state in move.from_
            and tier in move.tiers
            and role in move.roles
            and (small or not move.on_spot)
        ]


def tier_above(tier: str) -> str:
    """Name the tier to which a tier passes upward."""
    return TIERS[TIERS.index(tier) + 1]


def read_rules(county_file: Path | None = None) -> RuleBook:
    """
    Read the rules of the product, and the county's own over them.

    Parameters
    ----------
    county_file
        A TOML file of the same shape that says only what differs; ``moves`` there replace all.

    Returns
    -------
    RuleBook
        Every number with its source.

    Raises
    ------
    InputError
        The file is not there, is not TOML, or says something that cannot be.
    """
    return rule_files.read_rules(RuleBook, DEFAULTS, county_file, "GIS_INCIDENT_RULES_FILE")


@cache
def rule_book() -> RuleBook:
    """
    Read the rules in force once a process.

    Returns
    -------
    RuleBook
        As the settings stood at the first call.
    """
    return read_rules(incident_settings().incident_rules_file)
