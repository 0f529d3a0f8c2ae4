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
    wish = env.get("GIS_LANGUAGE") or env.get("LC_ALL") or env.get("LANG") or ""
    return choose_language(wish) if wish.lower().startswith("zh") else "en"


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
def errors_said() -> Iterator[None]:
    """Say an error that we can name in one line and end with its own exit code."""
    try:
        yield
    except ValidationError as error:  # of the settings: nothing else that a command reads is one
        for one in error.errors():
            name = f"GIS_{'_'.join(str(part) for part in one['loc'])}".upper()
            say(
                f"gis-service: {text('cli.bad_setting', language(), name=name, problem=one['msg'])}"
            )
        sys.exit(InputError.exit_code)
    except Exception as broken:
        named = broken if isinstance(broken, GisError) else _outage_of(broken)
        if named is None:
            raise
        place = ", ".join(f"{name} {value}" for name, value in named.place.as_dict().items())
        more = named.cause if isinstance(named, OutageError) else place
        say(f"gis-service: {named.say(language())}" + (f" ({more})" if more else ""))
        sys.exit(named.exit_code)


def _outage_of(error: Exception) -> OutageError | None:
    from gis_service.store.failures import outage_of

    return outage_of(error)
