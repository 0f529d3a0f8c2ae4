"""Pages without a map: signing in, one's own account, the people, the record.

Each is a frame with its title and what it is for, which stand without a script; the rest is drawn
by its script out of ``/api``.
"""

from collections.abc import Mapping
from typing import Any, Final

from gis_service.maps.page.grid_map import templates
from gis_service.maps.page.vendor import script_address, static_address, with_imports
from gis_service.messages import LANGUAGES, Language, all_texts

PLAIN_PAGES: Final = ("sign_in", "account", "people", "record")
"""Names of pages; the script of each is called the same."""

_TEXT_ROOMS: Final = ("page.", "accounts.", "roles.")


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
        styles=[static_address("css", file) for file in ("page.css", "forms.css", "plain.css")],
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
