"""Pages without a map: signing in, one's own account, the people, the record.

Each is a frame with its title and what it is for, which stand without a script; the rest is drawn
by its script out of ``/api``. How to trust the private authority needs no script at all.
"""

from collections.abc import Mapping
from typing import Any, Final

from gis_service.maps.page.grid_map import templates
from gis_service.maps.page.vendor import script_address, static_address, with_imports
from gis_service.messages import LANGUAGES, Language, all_texts

PLAIN_PAGES: Final = ("sign_in", "account", "people", "record")
"""Names of pages; the script of each is called the same."""

_TEXT_ROOMS: Final = ("page.", "accounts.", "roles.")
_STYLES: Final = ("page.css", "forms.css", "plain.css")
_SYSTEMS: Final = ("android", "ios", "harmony", "windows", "firefox")


def render_plain_page(
    name: str, language: Language, actor: Mapping[str, Any], **more: object
) -> str:
    """
    Render one page.

    Parameters
    ----------
    name
        One of :data:`PLAIN_PAGES`.
    language
        The reader's.
    actor
        Who opens it, as the map's page has it.
    **more
        What this page must know besides.

    Returns
    -------
    str
        The HTML document.
    """
    texts = all_texts(language)
    scripts = with_imports(f"{name}.js")
    return templates.get_template("plain_page.html").render(
        name=name,
        language=language,
        texts=texts,
        styles=[static_address("css", file) for file in _STYLES],
        script=script_address(f"{name}.js"),
        modules=[script_address(script) for script in scripts],
        config={
            "language": language,
            "languages": LANGUAGES,
            "actor": dict(actor),
            "schemes": [],
            "texts": {key: text for key, text in texts.items() if key.startswith(_TEXT_ROOMS)},
            **more,
        },
    )


def render_trust(language: Language, fingerprint: str | None) -> str:
    """
    Render the page that tells how a phone trusts the private authority.

    Parameters
    ----------
    language
        The reader's.
    fingerprint
        Of the authority's certificate; None where there is no private authority.

    Returns
    -------
    str
        The HTML document, without a script: over plain HTTP none would be answered.
    """
    (other,) = (known for known in LANGUAGES if known != language)
    return templates.get_template("trust.html").render(
        name="trust",
        language=language,
        other=other,
        texts=all_texts(language),
        styles=[static_address("css", file) for file in _STYLES],
        modules=[],
        fingerprint=fingerprint,
        systems=_SYSTEMS,
    )
