"""How a command talks to people: their language, one line at a time, errors by their exit code.

Everything goes to standard error; standard output belongs to programs.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import ValidationError

from gis_service.errors import GisError, InputError, OutageError
from gis_service.messages import Language, choose_language, text


def language() -> Language:
    """
    Choose the language in which people at a terminal are addressed.

    Returns
    -------
    Language
        By ``GIS_LANGUAGE``, ``LC_ALL`` and ``LANG``.
    """
    env = os.environ
    locale = env.get("GIS_LANGUAGE") or env.get("LC_ALL") or env.get("LANG") or ""
    return choose_language(locale) if locale.lower().startswith("zh") else "en"


def say(line: str) -> None:
    """
    Tell a person something.

    Parameters
    ----------
    line
        One line, to standard error.
    """
    typer.echo(line, err=True)


@contextmanager
def exit_on_errors() -> Iterator[None]:
    """Say an error that we can name in one line and end with its own exit code."""
    try:
        yield
    except ValidationError as error:  # of the settings: nothing else that a command reads is one
        for detail in error.errors():
            name = f"GIS_{'_'.join(str(part) for part in detail['loc'])}".upper()
            problem = text("cli.bad_setting", language(), name=name, problem=detail["msg"])
            say(f"gis-service: {problem}")
        sys.exit(InputError.exit_code)
    except Exception as broken:
        known_error = broken if isinstance(broken, GisError) else _outage_of(broken)
        if known_error is None:
            raise
        place = ", ".join(f"{name} {value}" for name, value in known_error.place.as_dict().items())
        more = known_error.cause if isinstance(known_error, OutageError) else place
        say(f"gis-service: {known_error.say(language())}" + (f" ({more})" if more else ""))
        sys.exit(known_error.exit_code)


def _outage_of(error: Exception) -> OutageError | None:
    from gis_service.store.failures import find_outage

    return find_outage(error)
