"""Every setting has its row in the page of settings."""

import re
from pathlib import Path

from pydantic_settings import BaseSettings

from gis_service import settings

PAGE = Path(__file__).parents[1] / "docs/settings.md"


def test_every_setting_is_on_its_page() -> None:
    named = set(re.findall(r"GIS_[A-Z0-9_]+", PAGE.read_text(encoding="utf-8")))
    known = {
        f"{group.model_config.get('env_prefix', '')}{name}".upper()
        for group in vars(settings).values()
        if isinstance(group, type) and issubclass(group, BaseSettings)
        for name in group.model_fields
    }
    assert len(known) > 20
    # Of a group of limits each is named by itself.
    missing = {name for name in known if not any(row.startswith(name) for row in named)}
    assert missing == set()
