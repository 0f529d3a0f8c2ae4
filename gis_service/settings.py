"""The switches, read from the environment (``GIS_…``); small groups, each with its meaning.

Nothing here opens a file or a connection.
"""

from functools import cache
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[1]


class StoreSettings(BaseSettings):
    """Where the data lives."""

    model_config = SettingsConfigDict(env_prefix="GIS_")

    database_url: str | None = Field(
        default=None, description="A PostgreSQL with PostGIS; without it a private cluster is run."
    )
    database_owner_url: str | None = Field(
        default=None, description="The same database as the role that may migrate it."
    )
    data_dir: Path = Field(default=ROOT / "var", description="The folder of the private cluster.")


class ServerSettings(BaseSettings):
    """How the page is served."""

    model_config = SettingsConfigDict(env_prefix="GIS_")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    workers: int = Field(default=1, ge=1, le=64, description="Processes that work on jobs.")


class NumberSettings(BaseSettings):
    """Numbers of the field that a county may set otherwise; sources in docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix="GIS_")

    near_border_m: float = Field(
        default=25.0, ge=0, description="Within this a place is near a border."
    )
    standards_file: Path | None = Field(
        default=None, description="A TOML file that overrides coverage/standards.toml."
    )


@cache
def store_settings() -> StoreSettings:
    """
    Read the store's settings once.

    Returns
    -------
    StoreSettings
        As the environment was at the first call.
    """
    return StoreSettings()


@cache
def server_settings() -> ServerSettings:
    """
    Read the server's settings once.

    Returns
    -------
    ServerSettings
        As the environment was at the first call.
    """
    return ServerSettings()


@cache
def number_settings() -> NumberSettings:
    """
    Read the county's numbers once.

    Returns
    -------
    NumberSettings
        As the environment was at the first call.
    """
    return NumberSettings()
