"""How a redraw is weighed and judged: weights and limits as data, each number with its source.

The numbers come from ``rules.toml`` beside this module and from the county's own file
(``GIS_REDRAW_FILE``) over it. Nothing here weighs or judges.
"""

from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from gis_service import rule_files
from gis_service.rule_files import Sourced, Table
from gis_service.settings import number_settings

DEFAULTS: Final = Path(__file__).with_name("rules.toml")

Severity = Literal["error", "warning", "off"]
Weight = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LoadRules(Table):
    """What each thing weighs, in households: ``load = Σ weight × count``."""

    households: Sourced[Weight]
    people: Sourced[Weight]
    care_households: Sourced[Weight]
    premises: Sourced[Weight]
    hazards: Sourced[Weight]
    incidents_month: Sourced[Weight]
    patrol_km: Sourced[Weight]


class CheckLimits(Table):
    """From where on a check speaks."""

    thin_compactness: Sourced[Annotated[float, Field(ge=0, le=1)]]
    street_within_m: Sourced[Amount]
    street_share: Sourced[Annotated[float, Field(ge=0, le=1)]]
    street_from_m: Sourced[Amount]
    building_cut_m2: Sourced[Amount]
    village_m2: Sourced[Amount]
    outline_m: Sourced[Amount]


class RedrawRules(Table):
    """All that is set for redrawing."""

    load: LoadRules
    severity: dict[str, Sourced[Severity]]
    checks: CheckLimits

    def severity_of(self, rule: str) -> Severity:
        """Tell how serious a rule is."""
        return self.severity[rule].value


def read_rules(county_file: Path | None = None) -> RedrawRules:
    """
    Read the numbers of the product, and the county's own over them.

    Parameters
    ----------
    county_file
        A TOML file of the same shape that says only what differs.

    Returns
    -------
    RedrawRules
        Every number with its source.

    Raises
    ------
    InputError
        The file is not there, is not TOML, or says something that cannot be.
    """
    return rule_files.read_rules(RedrawRules, DEFAULTS, county_file, "GIS_REDRAW_FILE")


@cache
def redraw_rules() -> RedrawRules:
    """Read the rules in force once a process."""
    return read_rules(number_settings().redraw_file)
