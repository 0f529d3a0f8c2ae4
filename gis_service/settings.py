"""The switches, read from the environment (``GIS_…``); small groups, each with its meaning.

Nothing here opens a file or a connection.
"""

import ipaddress
from functools import cache
from pathlib import Path
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BaseModel, Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

ROOT = Path(__file__).resolve().parents[1]

ServiceFolder = Literal["areas", "compiled", "home", "photos", "reports", "tls", "uploads"]
SERVICE_FOLDERS: tuple[ServiceFolder, ...] = get_args(ServiceFolder)
"""What the running service writes in the data folder; the rest may belong to another account."""


def _check_addresses(value: str) -> str:
    for address in filter(None, value.split(",")):
        ipaddress.ip_network(address.strip())
    return value


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
    disk_free_mb: int = Field(
        default=500, ge=0, description="With less room on a disk of ours the service is failing."
    )


class WorkLimits(BaseModel):
    """How long one kind of work may hold the database, in seconds; 0 sets no limit."""

    statement_s: float = Field(ge=0, le=1_000_000, description="One statement.")
    lock_s: float = Field(ge=0, le=1_000_000, description="Waiting for one lock.")
    idle_s: float = Field(ge=0, le=1_000_000, description="A transaction that asks nothing.")


class LimitSettings(BaseSettings):
    """Limits by kind of work, such as ``GIS_PAGE_STATEMENT_S``; docs/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix="GIS_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        nested_model_default_partial_update=True,
    )

    page: WorkLimits = Field(
        default=WorkLimits(statement_s=30, lock_s=10, idle_s=60), description="A request."
    )
    report: WorkLimits = Field(
        default=WorkLimits(statement_s=300, lock_s=10, idle_s=300),
        description="A report or a map that is written while somebody waits.",
    )
    job: WorkLimits = Field(
        default=WorkLimits(statement_s=3600, lock_s=1800, idle_s=3600),
        description="Work from the queue.",
    )
    command: WorkLimits = Field(
        default=WorkLimits(statement_s=0, lock_s=0, idle_s=0),
        description="A command at a terminal, which whoever started it can end.",
    )


class ServerSettings(BaseSettings):
    """How the page is served."""

    model_config = SettingsConfigDict(env_prefix="GIS_")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=1, le=65535)
    trusted_proxy: Annotated[str, AfterValidator(_check_addresses)] = Field(
        default="",
        description="Addresses of the reverse proxy, with commas; what it says of the scheme and"
        " of who asks is taken, and nobody else's word.",
    )
    tls_cert: Path | None = Field(
        default=None, description="The certificate with its chain, PEM; then https is spoken."
    )
    tls_key: Path | None = Field(
        default=None, description="Its key, PEM without a password, readable by the account."
    )
    host_names: str = Field(
        default="",
        description="Names under which the service answers, with commas; else those of the"
        " certificate, and on loopback only loopback's.",
    )
    hsts_days: int = Field(
        default=0,
        ge=0,
        le=730,
        description="So long browsers refuse plain http for our name (HSTS); 0 is not at all.",
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes that work on jobs.")
    shutdown_s: float = Field(
        default=10,
        ge=0,
        le=3600,
        description="So long requests and jobs may take to end by themselves at a shutdown.",
    )
    requests_at_once: int = Field(
        default=8, ge=1, le=100, description="Requests that are worked on at once; others wait."
    )
    slow_requests_at_once: int = Field(
        default=3, ge=1, le=100, description="The same of drafts, drawings and printed sheets."
    )
    files_at_once: int = Field(
        default=2, ge=1, le=100, description="The same of whole files of places."
    )
    request_wait_s: float = Field(
        default=3.0, gt=0, le=60, description="So long a request waits for its turn; then 503."
    )
    requests_waiting: int = Field(
        default=500, ge=0, description="More than so many in one line are refused at once."
    )
    max_body_kb: int = Field(
        default=1024,
        ge=16,
        le=16384,
        description="The largest body of a request; who may send more is listed in "
        "api/body_limit.py.",
    )
    body_timeout_s: float = Field(
        default=20.0, gt=0, le=600, description="So long a body may take, however small it is."
    )
    body_min_kb_s: float = Field(
        default=4.0, gt=0, description="And one second more for so many kB, as Apache's MinRate."
    )

    @property
    def connections(self) -> int:
        """Connections of one process: one for each request at work, and some for what is shared."""
        return self.requests_at_once + self.slow_requests_at_once + self.files_at_once + 9


class AccessSettings(BaseSettings):
    """How long one stays signed in, and what a password and a link must be."""

    model_config = SettingsConfigDict(env_prefix="GIS_")

    session_hours: float = Field(
        default=12.0, gt=0, le=720, description="A session ends after so long, however it is used."
    )
    session_idle_minutes: float = Field(
        default=60.0, ge=2, le=43_200, description="A session ends when it is not used so long."
    )
    link_hours: float = Field(
        default=72.0, gt=0, le=720, description="A one-time link holds so long."
    )
    password_length: int = Field(
        default=8, ge=8, le=64, description="The fewest characters of a password."
    )


class NumberSettings(BaseSettings):
    """Numbers of the field that a county may set otherwise; sources in docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix="GIS_")

    near_border_m: float = Field(
        default=25.0, ge=0, description="Within this a place is near a border."
    )
    road_snap_m: float = Field(
        default=1.0, ge=0, le=20, description="Ends of roads so near to a road are joined to it."
    )
    boundary_tolerance_m: float = Field(
        default=0.5, ge=0, le=5, description="Slits and overlaps so narrow are repaired on import."
    )
    boundary_most_crossings: int = Field(
        default=20_000, ge=100, description="Borders of a file that cross more often are a tangle."
    )
    border_road_m: float = Field(
        default=10.0,
        ge=0,
        description="Within this of the centre line of a road along a border a place is on it.",
    )
    standards_file: Path | None = Field(
        default=None, description="A TOML file that overrides coverage/standards.toml."
    )
    redraw_file: Path | None = Field(
        default=None,
        description="TOML file with the county's own weights and limits for redrawing; the "
        "product's are in gis_service/boundaries/editing/rules.toml.",
    )


class ImportSettings(BaseSettings):
    """How much of a file is taken, and when it looks shifted; docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix="GIS_IMPORT_")

    max_file_mb: int = Field(default=2048, ge=1, description="The largest file.")
    assign_mb: int = Field(
        default=512, ge=1, description="The largest file that gets its grids by /api/assign."
    )
    max_unpacked_mb: int = Field(
        default=1024, ge=1, description="The most that a packed file (.zip, .xlsx, .gz) may hold."
    )
    max_ratio: int = Field(
        default=200, ge=2, description="How many times its size a packed file may hold."
    )
    max_rows: int = Field(default=2_000_000, ge=1, description="The most rows of one file.")
    max_columns: int = Field(default=2000, ge=1, description="The most columns of one file.")
    max_vertices: int = Field(default=5_000_000, ge=1, description="The most vertices of one file.")
    reader_memory_mb: int = Field(
        default=4096, ge=64, description="The most memory that reading one file may take."
    )
    reader_small_memory_mb: int = Field(
        default=256, ge=64, description="So much of it a file of a few bytes may take,"
    )
    reader_memory_per_mb: float = Field(
        default=64.0, ge=1, description="and so many MB more for each MB of the file."
    )
    reader_cpu_s: int = Field(
        default=1800, ge=1, description="The most processor time that reading one file may take."
    )
    reader_small_cpu_s: int = Field(
        default=10, ge=1, description="So much of it a file of a few bytes may take,"
    )
    reader_cpu_s_per_mb: float = Field(
        default=10.0, ge=0, description="and so many seconds more for each MB of the file."
    )
    reader_wall_s: float = Field(
        default=3600.0, gt=0, description="So long reading one file may last by the clock."
    )
    reader_open_files: int = Field(
        default=64, ge=16, description="So many files a process that reads one may have open."
    )
    gpkg_s: float = Field(
        default=60.0, gt=0, description="So long the queries into one GeoPackage may take."
    )
    max_cells: int = Field(
        default=50_000_000, ge=1, description="The most cells between the ends of an XLSX sheet."
    )
    inside_share: float = Field(
        default=0.5, ge=0, le=1, description="Fewer points inside the county look shifted."
    )
    building_share: float = Field(
        default=0.5, ge=0, le=1, description="Fewer points on buildings look shifted."
    )
    building_m: float = Field(
        default=15.0, ge=0, description="Within this a point counts as on a building."
    )
    keep_days: float = Field(
        default=7.0, ge=0, description="Uploads that nobody took in are kept so long."
    )


class IncidentSettings(BaseSettings):
    """Incidents: the county's rules, and who may talk to us by Open311; docs/incidents.md."""

    model_config = SettingsConfigDict(env_prefix="GIS_")

    incident_rules_file: Path | None = Field(
        default=None, description="A TOML file that overrides incidents/rules.toml."
    )
    open311_key_required: bool = Field(
        default=True, description="Whether reporting by Open311 needs a key."
    )
    open311_public: Literal["none", "status", "full"] = Field(
        default="status",
        description="What anyone may read of requests that came by Open311; full says place and"
        " text too.",
    )
    open311_jurisdiction: str = Field(
        default="", description="The jurisdiction_id that is answered; empty takes any."
    )
    open311_contact: str = Field(default="", description="Whom developers ask, for discovery.")
    live_clients: int = Field(
        default=200, ge=1, le=10_000, description="Streams of events open at once, a process."
    )
    live_clients_each: int = Field(
        default=20,
        ge=1,
        le=10_000,
        description="The same of one actor at one address.",
    )
    live_heartbeat_s: float = Field(
        default=15.0, gt=0, le=300, description="A sign of life on a quiet stream."
    )


class KeepingSettings(BaseSettings):
    """How long or how much is kept of what can be made again or is no longer needed."""

    model_config = SettingsConfigDict(env_prefix="GIS_KEEP_")

    tiles_mb: float = Field(
        default=1024.0, ge=0, description="Vector tiles in the store; beyond it they go."
    )
    areas_mb: float = Field(
        default=512.0, ge=1, description="Bands and districts in the data folder."
    )
    job_days: float = Field(default=90.0, ge=1, description="Jobs that have ended.")
    queue_days: float = Field(
        default=2.0, ge=1, description="Rows of the queue whose work has ended, and their events."
    )
    change_days: float = Field(
        default=7.0, ge=1, description="Single changes of the data; after it their number only."
    )
    run_days: float = Field(
        default=90.0,
        ge=1,
        description="Minutes of each household in a coverage run; the newest run of each standard"
        " and scenario keeps them, and figures stay.",
    )
    request_days: float = Field(
        default=30.0, ge=1, description="Keys by which a report that comes twice is known."
    )
    record_days: int = Field(
        default=1095,
        ge=183,
        description="Events of the record: who did and saw what; at least half a year.",
    )
    undo_s: int = Field(
        default=60,
        ge=1,
        le=86_400,
        description="A row as it was before a change by hand, which can be taken back so long.",
    )
    entry_days: float = Field(
        default=1.0, ge=1, description="Keys by which a change that is sent twice is known."
    )


class AuditSettings(BaseSettings):
    """What the record of who did and saw what is proved by."""

    model_config = SettingsConfigDict(env_prefix="GIS_AUDIT_")

    head_file: Path | None = Field(
        default=None,
        description="The head of its chain is appended here, best on another machine's disk.",
    )


class BaseMapSettings(BaseSettings):
    """Maps of others under our own; none by default, so that nothing leaves this server."""

    model_config = SettingsConfigDict(env_prefix="GIS_")

    tianditu_key: SecretStr | None = Field(
        default=None, description="A server key (tk) of 天地图; it never leaves this server."
    )
    base_map_url: str | None = Field(
        default=None,
        description="The county's own base map: an XYZ or WMTS address with {z}, {x}, {y}, or the"
        " path of a .pmtiles file.",
    )
    base_map_name: str = Field(default="", max_length=40, description="What it is called.")
    base_map_attribution: str = Field(default="", max_length=200, description="Whose it is.")
    base_map_max_zoom: int = Field(default=18, ge=0, le=22, description="Its nearest zoom.")
    base_map_timeout_s: float = Field(
        default=8.0, gt=0, le=60, description="So long a tile of another server may take."
    )
    base_map_max_kb: int = Field(default=1024, ge=16, description="The largest tile, in kB.")


# Each is read once, as the environment is at the first call.
store_settings = cache(StoreSettings)
limit_settings = cache(LimitSettings)
server_settings = cache(ServerSettings)
access_settings = cache(AccessSettings)
number_settings = cache(NumberSettings)
import_settings = cache(ImportSettings)
incident_settings = cache(IncidentSettings)
keeping_settings = cache(KeepingSettings)
audit_settings = cache(AuditSettings)
base_map_settings = cache(BaseMapSettings)


def service_folder(name: ServiceFolder) -> Path:
    """
    Say where the running service keeps something.

    Parameters
    ----------
    name
        Of the folder.

    Returns
    -------
    Path
        In the data folder; made when it is needed.
    """
    return store_settings().data_dir / name
