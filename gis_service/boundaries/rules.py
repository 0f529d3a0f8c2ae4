"""How a redraw is weighed and judged: weights and limits as data, each number with its source.

The numbers come from ``rules.toml`` beside this module and from the county's own file
(``GIS_REDRAW_FILE``) over it. Nothing here weighs or judges.
"""

import tomllib
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gis_service.errors import InputError, Place
from gis_service.settings import number_settings

DEFAULTS: Final = Path(__file__).with_name("rules.toml")

T = TypeVar("T")
Severity = Literal["error", "warning", "off"]
Weight = Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)]
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Sourced(_Table, Generic[T]):
    """A number and where it comes from."""

    value: T
    source: Annotated[str, Field(min_length=1)]


class LoadRules(_Table):
    """What each thing weighs, in households: ``load = Σ weight × count``."""

    households: Sourced[Weight]
    people: Sourced[Weight]
    care_households: Sourced[Weight]
    premises: Sourced[Weight]
    hazards: Sourced[Weight]
    incidents_month: Sourced[Weight]
    patrol_km: Sourced[Weight]


class CheckLimits(_Table):
    """From where on a check speaks."""

    thin_compactness: Sourced[Annotated[float, Field(ge=0, le=1)]]
    street_within_m: Sourced[Amount]
    street_share: Sourced[Annotated[float, Field(ge=0, le=1)]]
    street_from_m: Sourced[Amount]
    building_cut_m2: Sourced[Amount]
    village_m2: Sourced[Amount]
    outline_m: Sourced[Amount]


class RedrawRules(_Table):
    """All that is set for redrawing."""

    load: LoadRules
    severity: dict[str, Sourced[Severity]]
    checks: CheckLimits

    def severity_of(self, rule: str) -> Severity:
        """
        Tell how serious a rule is.

        Parameters
        ----------
        rule
            Its name, such as ``gap``.

        Returns
        -------
        str
            ``error``, ``warning`` or ``off``.
        """
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
    tables = _read_toml(DEFAULTS)
    if county_file is not None:
        tables = _laid_over(tables, _read_toml(county_file), county_file.name)
    try:
        return RedrawRules.model_validate(tables)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise InputError(
            "boundaries.rules_wrong",
            place=Place(field=field or None),
            file=(county_file or DEFAULTS).name,
            field=field or "-",
            problem=first["msg"],
        ) from error


@cache
def redraw_rules() -> RedrawRules:
    """
    Read the rules in force once a process.

    Returns
    -------
    RedrawRules
        As the settings stood at the first call.
    """
    return read_rules(number_settings().redraw_file)


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "boundaries.rules_unreadable", file=file.name, problem=str(error)
        ) from error


def _laid_over(below: dict[str, Any], above: dict[str, Any], source: str) -> dict[str, Any]:
    merged = dict(below)
    for name, table in above.items():
        held = merged.get(name)
        if not isinstance(held, dict) or not isinstance(table, dict):
            merged[name] = table
            continue
        given = {
            key: new if isinstance(new, dict) else {"value": new, "source": source}
            for key, new in table.items()
        }
        merged[name] = {**held, **given}
    return merged
