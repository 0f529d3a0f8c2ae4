"""What a person reads when the main job is done: a dozen lines, in the language of the locale."""

from collections.abc import Mapping
from typing import Any

from gis_service.access import SYSTEM
from gis_service.access.actor import is_made_up
from gis_service.coverage.standards.book import standard_book
from gis_service.grids.versions import find_version_in_force
from gis_service.maps.sheets import sheet
from gis_service.messages import Language, text
from gis_service.store import Store


def describe_result(
    store: Store, result: Mapping[str, Any], language: Language, address: str, command: str
) -> list[str]:
    """
    Say what the main job has found, where everything is, and how to go on.

    Parameters
    ----------
    store
        After the main job.
    result
        Of :func:`gis_service.main_job.main_job`.
    language
        The reader's.
    address
        Where the page will be served.
    command
        What serves it.

    Returns
    -------
    list of str
        One line each.
    """
    with store.transaction(SYSTEM) as connection:
        county, version = sheet.find_county(connection), find_version_in_force(connection)
        made_up = is_made_up(connection)
    url = store.url
    host = url.host or str(url.query.get("host", ""))

    def say(line: str, **values: object) -> str:
        return text(f"cli.told_{line}", language, **values)

    share = result["assigned_share"]
    return [
        say("county", name=county.name, code=county.code),
        say("made_up" if made_up else "real"),
        say("grids", levels=_levels(result["levels"], language)),
        say("version", title=version.title, day=version.effective_day),
        say("households", n=f"{result['households']:,}"),
        say("assigned", share=_percent(share)),
        *(_coverage(code, figures, language) for code, figures in result["coverage"].items()
          if code in standard_book().standards and standard_book().standards[code].in_main_job),
        say("map", file=result["map"])
        if result["map"]
        else say("no_map", reason=result["map_error"]),
        say("database", host=host, name=url.database),
        say("serve", command=command, address=address),
        say("who_made_up" if made_up else "who_real"),
        say("seconds", seconds=result["seconds"]),
    ]  # fmt: skip


def _levels(levels: list[dict[str, Any]], language: Language) -> str:
    name = "label" if language == "zh-CN" else "label_en"
    comma = text("api.list_comma", language)
    return comma.join(f"{level[name]} {level['count']:,}" for level in levels)


def _coverage(code: str, figures: Mapping[str, Any], language: Language) -> str:
    standard = standard_book().standards[code]
    name = standard.name if language == "zh-CN" else standard.name_en
    if figures["status"] != "ok":
        reason = text(f"reports.status_{figures['status']}", language)
        return text("cli.told_not_measured", language, name=name, code=code, reason=reason)
    return text(
        "cli.told_coverage",
        language,
        name=name,
        code=code,
        share=_percent(figures["share"]),
        covered=f"{figures['covered']:,}",
        n=f"{figures['n']:,}",
        minutes=f"{standard.limit_minutes.value:g}",
        target=f"{standard.target_share.value:.0%}",
    )


def _percent(share: float | None) -> str:
    """Never say all where one is left out."""
    if share is None:
        return "–"
    return f"{min(share, 0.9999) if share < 1 else 1:.2%}"
