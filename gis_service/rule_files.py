"""Rules as data: a TOML file of the product's, and a county's own of the same shape laid over it.

The one rule for laying over, whatever the file: tables are laid over each other entry by entry;
anything else in the county's file (a number with its source, a list, a text) replaces the product's
whole. Where the shape has a number with its source the county may write the number alone; its
source is then the name of the file, so that a source never stands beside a number it did not give.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, model_validator

from gis_service.errors import InputError, Place

T = TypeVar("T")


class Table(BaseModel):
    """A table of such a file: nothing that is not known, and nothing that changes."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Book = TypeVar("Book", bound=Table)


class Sourced(Table, Generic[T]):
    """A number and where it comes from."""

    value: T
    source: Annotated[str, Field(min_length=1)]

    @model_validator(mode="before")
    @classmethod
    def _as_sourced(cls, value: Any, info: ValidationInfo) -> Any:
        """Take a number that stands alone in a county's file."""
        if info.context is None or isinstance(value, dict | Sourced):
            return value
        return {"value": value, "source": info.context}


def read_rules(shape: type[Book], defaults: Path, county_file: Path | None, setting: str) -> Book:
    """
    Read the rules of the product, and the county's own over them.

    Parameters
    ----------
    shape
        What the file holds.
    defaults
        The product's file.
    county_file
        A TOML file of the same shape that says only what differs; None where there is none.
    setting
        The variable that names the county's file, for the message.

    Returns
    -------
    Book
        Every number with its source.

    Raises
    ------
    InputError
        The file is not there, is not TOML, or says something that cannot be.
    """
    tables = read_toml(defaults, setting)
    if county_file is not None:
        tables = _overlay(tables, read_toml(county_file, setting))
    file = (county_file or defaults).name
    try:
        return shape.model_validate(tables, context=county_file and file)
    except ValidationError as error:
        first_error = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first_error["loc"])
        raise InputError(
            "rules.wrong",
            place=Place(field=field or None),
            file=file,
            field=field or "-",
            problem=first_error["msg"],
        ) from error


def read_toml(file: Path, setting: str) -> dict[str, Any]:
    """
    Read a file of rules.

    Parameters
    ----------
    file
        In UTF-8.
    setting
        The variable that names a county's own, for the message.

    Returns
    -------
    dict
        Its tables.

    Raises
    ------
    InputError
        It is not there, or is not TOML.
    """
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(
            "rules.unreadable", file=file.name, problem=str(error), setting=setting
        ) from error


def _overlay(base: dict[str, Any], override: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for name, override_value in override.items():
        base_value = base.get(name)
        if (
            isinstance(base_value, dict)
            and isinstance(override_value, dict)
            and base_value.keys() != {"value", "source"}
        ):
            merged[name] = _overlay(base_value, override_value)
        else:
            merged[name] = override_value
    return merged
