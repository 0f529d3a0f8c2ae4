"""The tables, one definition each; rooms build their queries on these and on nothing else.

Geometry is stored in EPSG:4490 (lon, lat). A ``valid`` column is a half-open range of days in
Asia/Shanghai. What must never be wrong is a constraint here, not a habit of the code above.
"""

from typing import Any, Final

import sqlalchemy as sa
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    DATERANGE,
    JSONB,
    REAL,
    ExcludeConstraint,
)

from gis_service.records import RECORDS, Record
from gis_service.roles import ROLES

SRID = 4490

metadata = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    },
)

INCIDENT_STATES = RECORDS["incident"].field("status").choices
INCIDENT_CHANNELS = ("page", "api", "import", "open311")
INCIDENT_TIERS = ("village", "town", "county")
HAZARD_STATES = RECORDS["hazard"].field("status").choices
FACILITY_KINDS = RECORDS["facility"].field("kind").choices
ROAD_CLASSES = (
    "motorway",
    "trunk",
    "primary",
    "secondary",
    "tertiary",
    "unclassified",
    "residential",
    "living_street",
    "service",
    "track",
    "path",
    "footway",
    "cycleway",
    "steps",
    "pedestrian",
    "ferry",
)
OBJECT_KINDS = tuple(name for name, record in RECORDS.items() if record.placed)
COVERAGE_OF = ("households", "people", "care_households", "buildings", "premises", "hazards")
PLAN_STATES = ("draft", "in_review", "approved", "published", "withdrawn", "discarded")
PLAN_DECISIONS = ("submitted", "approved", "rejected", "published", "withdrawn", "discarded")
WITH_ROW_RULES = frozenset(
    {
        "answer", "cohort_grid", "coverage_household", "entry_change", "grid_duty", "hazard",
        "household", "import_record", "incident", "incident_intake", "incident_photo",
        "incident_step", "job", "leave", "membership", "officer", "premises", "search_house",
        "search_person",
    }
)  # fmt: skip
"""Tables that can tell of a person: the database shows a row to those alone who may see it, by the
actor that the transaction names (``Store.transaction``); see migration 0021 and ADR 0027. Nobody
copies into them directly, COPY is refused there."""
JOB_STATES = ("waiting", "running", "done", "failed", "cancelled")


def table_of(record: Record) -> sa.Table:
    """
    Find the table of a kind of record.

    Parameters
    ----------
    record
        The kind.

    Returns
    -------
    sqlalchemy.Table
        Where its rows stand.
    """
    return metadata.tables[record.table]


def _one_of(column: str, values: tuple[str, ...], name: str) -> sa.CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return sa.CheckConstraint(f"{column} IN ({allowed})", name=name)


def _serial(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, sa.Identity(always=False), primary_key=True)


def _geometry(name: str, kind: str, *, nullable: bool = False) -> sa.Column[object]:
    # Spatial indexes are declared below with their own names, so that Alembic sees them.
    return sa.Column(name, Geometry(kind, srid=SRID, spatial_index=False), nullable=nullable)


def _valid() -> sa.Column[object]:
    return sa.Column("valid", DATERANGE, nullable=False)


def _not_empty() -> sa.CheckConstraint:
    return sa.CheckConstraint("NOT isempty(valid)", name="valid_not_empty")


# --- who asks ----------------------------------------------------------------------------------

actor = sa.Table(
    "actor",
    metadata,
    _serial("actor_id"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("is_demo", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column(
        "areas",
        ARRAY(sa.BigInteger),
        comment="grid ids of any level; NULL means the whole county",
    ),
    _one_of("role", ROLES, "role_known"),
    comment="Who may ask: a person or a service account, with a role and the areas it answers for.",
)

account = sa.Table(
    "account",
    metadata,
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), primary_key=True),
    sa.Column("login", sa.Text, nullable=False, unique=True, comment="in lower case"),
    sa.Column("password_hash", sa.Text, comment="argon2id; NULL: none was chosen yet"),
    sa.Column("password_at", sa.DateTime(timezone=True)),
    sa.Column(
        "officer_id", sa.BigInteger, sa.ForeignKey("officer.officer_id", ondelete="SET NULL")
    ),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("made_by", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("ended_at", sa.DateTime(timezone=True), comment="nobody signs in any more"),
    sa.CheckConstraint("login <> '' AND login = lower(login)", name="login_form"),
    comment="A person who signs in; name, role and areas stand in the row of actor.",
)

session = sa.Table(
    "session",
    metadata,
    _serial("session_id"),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True, comment="SHA-256 of a cookie"),
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("began_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False, comment="however often seen"),
    sa.Column("ended_at", sa.DateTime(timezone=True), comment="signed out, or ended by another"),
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    sa.Column("user_agent", sa.Text, nullable=False, server_default=""),
    sa.Index("ix_session_actor", "actor_id"),
    comment="Who is signed in, from which browser.",
)

one_time_link = sa.Table(
    "one_time_link",
    metadata,
    sa.Column("digest", sa.LargeBinary, primary_key=True, comment="SHA-256 of what the link holds"),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column(
        "actor_id",
        sa.BigInteger,
        sa.ForeignKey("actor.actor_id"),
        comment="whose password it sets; NULL: it makes the first administrator",
    ),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("used_at", sa.DateTime(timezone=True)),
    _one_of("purpose", ("first", "invitation", "reset"), "purpose_known"),
    sa.CheckConstraint("(purpose = 'first') = (actor_id IS NULL)", name="first_has_no_actor"),
    comment="Links by which a password is chosen, each once.",
)

sign_in_failure = sa.Table(
    "sign_in_failure",
    metadata,
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True, comment="a digest of the login, or an address"),
    sa.Column("failures", sa.Integer, nullable=False),
    sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
    _one_of("kind", ("account", "address", "account_at_address"), "kind_known"),
    comment="Wrong passwords of late: who asks again waits longer.",
)

api_key = sa.Table(
    "api_key",
    metadata,
    _serial("key_id"),
    sa.Column("digest", sa.LargeBinary, nullable=False, unique=True, comment="SHA-256 of the key"),
    sa.Column("hint", sa.Text, nullable=False, comment="its first characters, to tell keys apart"),
    sa.Column(
        "actor_id",
        sa.BigInteger,
        sa.ForeignKey("actor.actor_id"),
        nullable=False,
        comment="of its own: name, role and areas",
    ),
    sa.Column("scopes", ARRAY(sa.Text), nullable=False),
    sa.Column("made_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("made_by", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("used_at", sa.DateTime(timezone=True), comment="to the minute"),
    sa.Column("ended_at", sa.DateTime(timezone=True)),
    comment="Keys of other systems; each is shown once.",
)

made_up = sa.Table(
    "made_up",
    metadata,
    sa.Column("one", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.CheckConstraint("one", name="one_row"),
    comment="Its one row says that all people here are made up: anybody may pick who to be.",
)

event = sa.Table(
    "event",
    metadata,
    _serial("event_id"),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("actor_id", sa.BigInteger, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("object_kind", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text),
    sa.Column("before", JSONB),
    sa.Column("after", JSONB),
    sa.Column("session_id", sa.BigInteger),
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    sa.Column(
        "request_id",
        sa.Text,
        nullable=False,
        server_default="",
        comment="by which the request is found in the log",
    ),
    sa.Index("ix_event_object", "object_kind", "object_id", "event_id"),
    sa.Index("ix_event_actor", "actor_id", "event_id"),
    sa.Index("ix_event_action", "action", "event_id"),
    sa.Index("ix_event_at", "at"),
    comment="What happened, appended only: a trigger refuses UPDATE, DELETE and TRUNCATE.",
)

event_seal = sa.Table(
    "event_seal",
    metadata,
    sa.Column("seal_number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column(
        "event_id",
        sa.BigInteger,
        nullable=False,
        unique=True,
        comment="no reference: the first seal outlives its pruned event",
    ),
    sa.Column("hash", sa.LargeBinary, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    comment="The chain: each hash is taken over the one before and an event.",
)

event_unsealed = sa.Table(
    "event_unsealed",
    metadata,
    sa.Column("event_id", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="Events that are not in the chain yet.",
)

digest_key = sa.Table(
    "digest_key",
    metadata,
    sa.Column("one", sa.Boolean, primary_key=True, server_default=sa.true()),
    sa.Column("inner_key", sa.LargeBinary, nullable=False),
    sa.Column("outer_key", sa.LargeBinary, nullable=False),
    sa.CheckConstraint("one", name="one_row"),
    comment="With what personal values are digested; the service's role cannot read it.",
)

# --- land: administration, schemes, grids ------------------------------------------------------

admin_unit = sa.Table(
    "admin_unit",
    metadata,
    _serial("admin_unit_id"),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("level", sa.Text, nullable=False),
    sa.Column("parent_id", sa.BigInteger, sa.ForeignKey("admin_unit.admin_unit_id")),
    sa.Column("source_list", sa.Text, nullable=False),
    sa.Column("urban_rural_class", sa.Text),
    _valid(),
    _geometry("geom", "MULTIPOLYGON", nullable=True),
    _one_of("level", ("county", "town", "village"), "level_known"),
    sa.CheckConstraint("code <> ''", name="code_not_empty"),
    sa.CheckConstraint("urban_rural_class ~ '^[12][12][0-3]$'", name="urban_rural_class_form"),
    _not_empty(),
    ExcludeConstraint(
        ("code", "="),
        ("source_list", "="),
        ("level", "="),
        ("valid", "&&"),
        name="ex_admin_unit_code_valid",
    ),
    sa.Index("ix_admin_unit_parent", "parent_id"),
    sa.Index("ix_admin_unit_geom", "geom", postgresql_using="gist"),
    comment="行政区划 county, town and village, with code, source list and valid range.",
)

admin_unit_successor = sa.Table(
    "admin_unit_successor",
    metadata,
    sa.Column("old_id", sa.BigInteger, sa.ForeignKey("admin_unit.admin_unit_id"), primary_key=True),
    sa.Column("new_id", sa.BigInteger, sa.ForeignKey("admin_unit.admin_unit_id"), primary_key=True),
    sa.Column("on_day", sa.Date, nullable=False),
    sa.CheckConstraint("old_id <> new_id", name="not_itself"),
)

grid_scheme = sa.Table(
    "grid_scheme",
    metadata,
    _serial("scheme_id"),
    sa.Column("code", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("name_en", sa.Text, nullable=False),
    sa.Column("is_base", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("several_parts", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column(
        "code_layout",
        JSONB,
        nullable=False,
        comment="digits of each part of a code, e.g. [6,3,3,3]",
    ),
    sa.Column(
        "size_rule",
        JSONB,
        nullable=False,
        comment='households of a base grid by class: {"urban": [200, 300], "rural": [80, 120]}',
    ),
    sa.Index(
        "uq_grid_scheme_one_base", "is_base", unique=True, postgresql_where=sa.text("is_base")
    ),
    comment="网格体系: the base scheme, and professional ones each with their own polygons.",
)

grid_level = sa.Table(
    "grid_level",
    metadata,
    sa.Column("scheme_id", sa.BigInteger, sa.ForeignKey("grid_scheme.scheme_id"), primary_key=True),
    sa.Column("rank", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("label", sa.Text, nullable=False),
    sa.Column("label_en", sa.Text, nullable=False),
    sa.Column("admin_level", sa.Text),
    sa.Column("tessellates", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.CheckConstraint("rank >= 1", name="rank_from_one"),
    comment="层级: rank 1 is the top; label and administrative tier are separate.",
)

grid_version = sa.Table(
    "grid_version",
    metadata,
    _serial("version_id"),
    sa.Column("scheme_id", sa.BigInteger, sa.ForeignKey("grid_scheme.scheme_id"), nullable=False),
    sa.Column("effective_day", sa.Date, nullable=False),
    sa.Column(
        "published_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
    ),
    sa.Column("published_by", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("counts", JSONB, nullable=False, server_default="{}"),
    sa.Column(
        "applied_at",
        sa.DateTime(timezone=True),
        comment="when today's copies on the rows took it over; NULL: its day is still to come",
    ),
    sa.UniqueConstraint("scheme_id", "effective_day"),
    comment="A version of a scheme is an effective day; its state is the rows holding that day.",
)

grid = sa.Table(
    "grid",
    metadata,
    _serial("grid_id"),
    sa.Column("scheme_id", sa.BigInteger, nullable=False),
    sa.Column("rank", sa.SmallInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False, server_default="ordinary"),
    _one_of("kind", ("ordinary", "dedicated"), "kind_known"),
    sa.ForeignKeyConstraint(["scheme_id", "rank"], ["grid_level.scheme_id", "grid_level.rank"]),
    sa.UniqueConstraint("grid_id", "scheme_id"),
    sa.UniqueConstraint("grid_id", "scheme_id", "rank"),
    sa.Index("ix_grid_scheme_rank", "scheme_id", "rank"),
    comment="网格: the identity; all that changes is dated in grid_state.",
)

grid_code = sa.Table(
    "grid_code",
    metadata,
    sa.Column("scheme_id", sa.BigInteger, sa.ForeignKey("grid_scheme.scheme_id"), primary_key=True),
    sa.Column("code", sa.Text, primary_key=True),
    sa.Column("grid_id", sa.BigInteger, sa.ForeignKey("grid.grid_id"), nullable=False),
    sa.UniqueConstraint("scheme_id", "code", "grid_id"),
    sa.CheckConstraint("code <> ''", name="code_not_empty"),
    comment="Every code ever given: a retired code never means another grid.",
)

grid_state = sa.Table(
    "grid_state",
    metadata,
    _serial("state_id"),
    sa.Column("grid_id", sa.BigInteger, nullable=False),
    sa.Column("scheme_id", sa.BigInteger, nullable=False),
    sa.Column("rank", sa.SmallInteger, nullable=False),
    sa.Column("parent_grid_id", sa.BigInteger, sa.ForeignKey("grid.grid_id")),
    sa.Column("admin_unit_id", sa.BigInteger, sa.ForeignKey("admin_unit.admin_unit_id")),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("urban_rural_class", sa.Text),
    sa.Column("area_m2", sa.Double, nullable=False),
    _valid(),
    _geometry("geom", "MULTIPOLYGON"),
    _geometry("label_point", "POINT"),
    sa.ForeignKeyConstraint(
        ["grid_id", "scheme_id", "rank"], ["grid.grid_id", "grid.scheme_id", "grid.rank"]
    ),
    sa.ForeignKeyConstraint(
        ["scheme_id", "code", "grid_id"],
        ["grid_code.scheme_id", "grid_code.code", "grid_code.grid_id"],
    ),
    sa.CheckConstraint("area_m2 > 0", name="area_positive"),
    sa.CheckConstraint("(rank = 1) = (parent_grid_id IS NULL)", name="parent_below_top"),
    sa.CheckConstraint("urban_rural_class ~ '^[12][12][0-3]$'", name="urban_rural_class_form"),
    _not_empty(),
    ExcludeConstraint(("grid_id", "="), ("valid", "&&"), name="ex_grid_state_grid_valid"),
    sa.Index("ix_grid_state_scheme_rank", "scheme_id", "rank"),
    sa.Index("ix_grid_state_parent", "parent_grid_id"),
    sa.Index("ix_grid_state_geom", "geom", postgresql_using="gist"),
    comment="What a grid was from when to when: code, name, parent, polygon.",
)

grid_successor = sa.Table(
    "grid_successor",
    metadata,
    sa.Column("old_grid_id", sa.BigInteger, sa.ForeignKey("grid.grid_id"), primary_key=True),
    sa.Column("new_grid_id", sa.BigInteger, sa.ForeignKey("grid.grid_id"), primary_key=True),
    sa.Column(
        "version_id", sa.BigInteger, sa.ForeignKey("grid_version.version_id"), nullable=False
    ),
    sa.CheckConstraint("old_grid_id <> new_grid_id", name="not_itself"),
)

linework_arc = sa.Table(
    "linework_arc",
    metadata,
    _serial("arc_id"),
    sa.Column("scheme_id", sa.BigInteger, sa.ForeignKey("grid_scheme.scheme_id"), nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("left_grid_id", sa.BigInteger, sa.ForeignKey("grid.grid_id")),
    sa.Column("right_grid_id", sa.BigInteger, sa.ForeignKey("grid.grid_id")),
    _valid(),
    _geometry("geom", "LINESTRING"),
    _one_of("kind", ("street", "water", "other"), "kind_known"),
    sa.CheckConstraint("left_grid_id IS DISTINCT FROM right_grid_id", name="separates_two_grids"),
    _not_empty(),
    sa.Index("ix_linework_arc_scheme", "scheme_id"),
    sa.Index("ix_linework_arc_left", "left_grid_id"),
    sa.Index("ix_linework_arc_right", "right_grid_id"),
    sa.Index("ix_linework_arc_geom", "geom", postgresql_using="gist"),
    comment="The noded linework: a scheme's geometry of record. NULL beside an arc is outside.",
)

# --- who answers -------------------------------------------------------------------------------

officer = sa.Table(
    "officer",
    metadata,
    _serial("officer_id"),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("phone", sa.Text, nullable=False),
    sa.Column("full_time", sa.Boolean, nullable=False, server_default=sa.true()),
    _valid(),
    _geometry("duty_post", "POINT", nullable=True),
    sa.CheckConstraint("name <> ''", name="name_not_empty"),
    _not_empty(),
    comment="网格长 and 网格员.",
)

grid_duty = sa.Table(
    "grid_duty",
    metadata,
    _serial("duty_id"),
    sa.Column("officer_id", sa.BigInteger, sa.ForeignKey("officer.officer_id"), nullable=False),
    sa.Column("grid_id", sa.BigInteger, sa.ForeignKey("grid.grid_id"), nullable=False),
    sa.Column("role", sa.Text, nullable=False),
    sa.Column("post", sa.Text, nullable=False),
    _valid(),
    _one_of("role", ("head", "officer"), "role_known"),
    _one_of("post", ("A", "B"), "post_known"),
    _not_empty(),
    ExcludeConstraint(
        ("grid_id", "="),
        ("role", "="),
        ("post", "="),
        ("valid", "&&"),
        name="ex_grid_duty_post_valid",
    ),
    ExcludeConstraint(
        ("grid_id", "="),
        ("role", "="),
        ("officer_id", "="),
        ("valid", "&&"),
        name="ex_grid_duty_officer_valid",
    ),
    sa.Index("ix_grid_duty_officer", "officer_id"),
    comment="A/B岗: who holds which post in which grid, from when to when.",
)

leave = sa.Table(
    "leave",
    metadata,
    _serial("leave_id"),
    sa.Column("officer_id", sa.BigInteger, sa.ForeignKey("officer.officer_id"), nullable=False),
    _valid(),
    _not_empty(),
    ExcludeConstraint(("officer_id", "="), ("valid", "&&"), name="ex_leave_officer_valid"),
)

# --- what stands and happens on the land -------------------------------------------------------


def _base_grid(table: str) -> tuple[sa.Column[int], sa.Index]:
    return (
        sa.Column("base_grid_id", sa.BigInteger, sa.ForeignKey("grid.grid_id")),
        sa.Index(f"ix_{table}_base_grid", "base_grid_id"),
    )


def _base_grid_copied() -> sa.Column[int]:
    """Without an index or a foreign key, so that a new grid is written in place (ADR 0011)."""
    return sa.Column(
        "base_grid_id",
        sa.BigInteger,
        comment="copied from the assignment of today, which names only grids that are there",
    )


_IN_PLACE: Final = {"fillfactor": 50}
"""Room for a second copy of every row on its own page: an update leaves the indexes alone."""


building = sa.Table(
    "building",
    metadata,
    _serial("building_id"),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    sa.Column("kind", sa.Text, nullable=False, server_default="residential"),
    sa.Column("storeys", sa.SmallInteger, nullable=False, server_default="1"),
    _base_grid_copied(),
    _geometry("footprint", "MULTIPOLYGON", nullable=True),
    _geometry("point", "POINT"),
    sa.CheckConstraint("storeys BETWEEN 1 AND 200", name="storeys_sane"),
    sa.Index("ix_building_footprint", "footprint", postgresql_using="gist"),
    sa.Index("ix_building_point", "point", postgresql_using="gist"),
    comment="房: placed by a point on its surface.",
    postgresql_with=_IN_PLACE,
)

household = sa.Table(
    "household",
    metadata,
    _serial("household_id"),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("building_id", sa.BigInteger, sa.ForeignKey("building.building_id")),
    sa.Column("street", sa.Text, nullable=False, server_default=""),
    sa.Column("house_number", sa.Text, nullable=False, server_default=""),
    sa.Column("group_number", sa.SmallInteger),
    sa.Column("room", sa.Text, nullable=False, server_default=""),
    sa.Column("head_name", sa.Text, nullable=False, server_default=""),
    sa.Column("phone", sa.Text, nullable=False, server_default=""),
    sa.Column("people", sa.SmallInteger, nullable=False),
    sa.Column("care_tags", ARRAY(sa.Text), nullable=False, server_default="{}"),
    _base_grid_copied(),
    _geometry("point", "POINT"),
    sa.CheckConstraint("people BETWEEN 0 AND 99", name="people_sane"),
    sa.Index("ix_household_building", "building_id"),
    sa.Index("ix_household_point", "point", postgresql_using="gist"),
    comment="户: follows its building. Sensitive: read through access.visible only.",
    postgresql_with=_IN_PLACE,
)

premises = sa.Table(
    "premises",
    metadata,
    _serial("premises_id"),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("grade", sa.Text, nullable=False),
    sa.Column("responsible_name", sa.Text, nullable=False, server_default=""),
    sa.Column("phone", sa.Text, nullable=False, server_default=""),
    sa.Column("building_id", sa.BigInteger, sa.ForeignKey("building.building_id")),
    *_base_grid("premises"),
    _geometry("point", "POINT"),
    _one_of("grade", ("A", "B", "C", "D"), "grade_known"),
    sa.Index("ix_premises_building", "building_id"),
    sa.Index("ix_premises_point", "point", postgresql_using="gist"),
    comment="监管对象: shops, factories, key fire units, nine-small places.",
)

hazard = sa.Table(
    "hazard",
    metadata,
    _serial("hazard_id"),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("grade", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("premises_id", sa.BigInteger, sa.ForeignKey("premises.premises_id")),
    sa.Column("found_on", sa.Date, nullable=False),
    sa.Column("due_on", sa.Date, nullable=False),
    sa.Column("rectified_on", sa.Date),
    sa.Column("closed_on", sa.Date),
    *_base_grid("hazard"),
    _geometry("point", "POINT"),
    _one_of("grade", ("ordinary", "major"), "grade_known"),
    _one_of("status", HAZARD_STATES, "status_known"),
    sa.CheckConstraint("due_on >= found_on", name="due_after_found"),
    sa.CheckConstraint("rectified_on >= found_on", name="rectified_after_found"),
    sa.CheckConstraint("(status = 'closed') = (closed_on IS NOT NULL)", name="closed_has_day"),
    sa.Index("ix_hazard_premises", "premises_id"),
    sa.Index("ix_hazard_point", "point", postgresql_using="gist"),
    comment="隐患: found, due, rectified, handed over, closed.",
)

incident = sa.Table(
    "incident",
    metadata,
    _serial("incident_id"),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("status", sa.Text, nullable=False, server_default="reported"),
    sa.Column("text", sa.Text, nullable=False, server_default=""),
    sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("closed_at", sa.DateTime(timezone=True)),
    sa.Column("reporter_name", sa.Text, nullable=False, server_default=""),
    sa.Column("reporter_phone", sa.Text, nullable=False, server_default=""),
    sa.Column("reporter_email", sa.Text, nullable=False, server_default=""),
    sa.Column("address", sa.Text, nullable=False, server_default="", comment="as it was said"),
    sa.Column("channel", sa.Text, nullable=False, server_default="import"),
    sa.Column("tier", sa.Text, nullable=False, server_default="village", comment="who holds it"),
    sa.Column("department", sa.Text, nullable=False, server_default=""),
    sa.Column(
        "clock_from",
        sa.DateTime(timezone=True),
        comment="from when the deadline counts, once another tier has it; NULL: reported_at",
    ),
    sa.Column("returns", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("version", sa.Integer, nullable=False, server_default="1", comment="the last step"),
    sa.Column("officer_id", sa.BigInteger, comment="responsible; officers come and go, no key"),
    sa.Column("officer_post", sa.Text, comment="A or B of the base grid"),
    sa.Column("media_url", sa.Text, nullable=False, server_default="", comment="never fetched"),
    sa.Column("details", JSONB, nullable=False, server_default="{}", comment="answers by code"),
    *_base_grid("incident"),
    _geometry("point", "POINT"),
    _one_of("status", INCIDENT_STATES, "status_known"),
    _one_of("channel", INCIDENT_CHANNELS, "channel_known"),
    _one_of("tier", INCIDENT_TIERS, "tier_known"),
    _one_of("officer_post", ("A", "B"), "officer_post_known"),
    sa.CheckConstraint("(status = 'closed') = (closed_at IS NOT NULL)", name="closed_has_time"),
    sa.CheckConstraint("closed_at >= reported_at", name="closed_after_reported"),
    sa.CheckConstraint("returns >= 0", name="returns_not_negative"),
    sa.CheckConstraint("version >= 1", name="version_from_one"),
    sa.Index("ix_incident_reported", "reported_at"),
    sa.Index("ix_incident_kind", "kind"),
    sa.Index("ix_incident_open", "status", postgresql_where=sa.text("status <> 'closed'")),
    sa.Index("ix_incident_point", "point", postgresql_using="gist"),
    comment="事件: reported, accepted, dispatched, handled, verified, closed; returned.",
)

incident_step = sa.Table(
    "incident_step",
    metadata,
    _serial("step_id"),
    sa.Column("incident_id", sa.BigInteger, nullable=False, comment="stays when the incident goes"),
    sa.Column("seq", sa.Integer, nullable=False, comment="1, 2, 3 … within the incident"),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column(
        "xid",
        sa.BigInteger,
        nullable=False,
        server_default=sa.text("(pg_current_xact_id()::text)::bigint"),
        comment="of the transaction: whoever watches can tell what was not committed yet",
    ),
    sa.Column("actor_id", sa.BigInteger, nullable=False),
    sa.Column("actor_role", sa.Text, nullable=False),
    sa.Column("move", sa.Text, nullable=False),
    sa.Column("from_state", sa.Text),
    sa.Column("to_state", sa.Text, nullable=False),
    sa.Column("tier", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False, server_default=""),
    sa.Column("note", sa.Text, nullable=False, server_default=""),
    sa.Column("officer_id", sa.BigInteger),
    sa.Column("officer_post", sa.Text),
    sa.Column("due_on", sa.Date, comment="the deadline as it was told at this step"),
    sa.Column("due_provisional", sa.Boolean),
    sa.Column("late", sa.Boolean, comment="whether this step came after its deadline"),
    sa.Column("duplicate_of", sa.BigInteger),
    sa.Column("photos", ARRAY(sa.Text), nullable=False, server_default="{}", comment="SHA-256"),
    _geometry("place", "POINT", nullable=True),
    _one_of("to_state", INCIDENT_STATES, "to_state_known"),
    _one_of("tier", INCIDENT_TIERS, "tier_known"),
    sa.UniqueConstraint("incident_id", "seq"),
    sa.Index("ix_incident_step_xid", "xid"),
    sa.Index("ix_incident_step_actor", "actor_id"),
    comment="Who did what to an incident, when and from where; a trigger refuses every change.",
)

incident_photo = sa.Table(
    "incident_photo",
    metadata,
    sa.Column("incident_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("sha256", sa.Text, primary_key=True, comment="of the cleaned picture; its file name"),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("bytes", sa.Integer, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("actor_id", sa.BigInteger, nullable=False),
    sa.CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256_form"),
    comment="Photos in the data folder, without anything but the picture itself.",
)

incident_request = sa.Table(
    "incident_request",
    metadata,
    sa.Column("actor_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("body_sha256", sa.Text, nullable=False),
    sa.Column("incident_id", sa.BigInteger),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Index("ix_incident_request_at", "at"),
    comment="Idempotency keys: the same request sent twice makes one incident.",
)

incident_intake = sa.Table(
    "incident_intake",
    metadata,
    sa.Column("token", sa.Text, primary_key=True),
    sa.Column("actor_id", sa.BigInteger, nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("draft", JSONB, nullable=False, comment="the report; personal"),
    sa.Column("incident_id", sa.BigInteger, comment="once somebody has placed it"),
    comment="Reports with an address that nobody has found on the map yet.",
)

working_day_override = sa.Table(
    "working_day_override",
    metadata,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("is_working", sa.Boolean, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    comment="Days that the county counts otherwise than the published calendar.",
)

working_year = sa.Table(
    "working_year",
    metadata,
    sa.Column("year", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    comment="Years whose holidays the county has entered whole: no longer provisional.",
)

cohort = sa.Table(
    "cohort",
    metadata,
    _serial("cohort_id"),
    sa.Column("scheme_id", sa.BigInteger, sa.ForeignKey("grid_scheme.scheme_id"), nullable=False),
    sa.UniqueConstraint("cohort_id", "scheme_id"),
    comment="Objects that go from grid to grid together.",
)

cohort_grid = sa.Table(
    "cohort_grid",
    metadata,
    sa.Column("cohort_id", sa.BigInteger, nullable=False),
    sa.Column("scheme_id", sa.BigInteger, nullable=False),
    sa.Column("grid_id", sa.BigInteger, nullable=False),
    _valid(),
    sa.PrimaryKeyConstraint("cohort_id", "valid"),
    sa.ForeignKeyConstraint(["cohort_id", "scheme_id"], ["cohort.cohort_id", "cohort.scheme_id"]),
    sa.ForeignKeyConstraint(["grid_id", "scheme_id"], ["grid.grid_id", "grid.scheme_id"]),
    _not_empty(),
    ExcludeConstraint(("cohort_id", "="), ("valid", "&&"), name="ex_cohort_grid_cohort_valid"),
    sa.Index("ix_cohort_grid_grid", "grid_id"),
    comment="Which grid a cohort belonged to, from when to when: from ever to ever without a gap.",
)

membership = sa.Table(
    "membership",
    metadata,
    sa.Column("scheme_id", sa.BigInteger, nullable=False),
    sa.Column("object_kind", sa.Text, nullable=False),
    sa.Column("object_id", sa.BigInteger, nullable=False),
    sa.Column("since", sa.Date, sa.Computed("lower(valid)", persisted=True), nullable=False),
    sa.Column("valid", DATERANGE, nullable=False),
    sa.Column("cohort_id", sa.BigInteger),
    sa.Column("method", sa.Text, nullable=False),
    sa.Column("nearest_grid_id", sa.BigInteger),
    sa.Column("distance_m", sa.Double),
    # what tells rows apart soonest comes first: half a million keys are compared in a publication
    sa.PrimaryKeyConstraint("object_id", "since", "object_kind", "scheme_id"),
    _one_of("object_kind", OBJECT_KINDS, "object_kind_known"),
    _one_of(
        "method", ("within", "border_tie", "by_building", "by_hand", "outside"), "method_known"
    ),
    sa.CheckConstraint("(method = 'outside') = (cohort_id IS NULL)", name="outside_has_no_cohort"),
    sa.CheckConstraint(
        "(method = 'outside') = (nearest_grid_id IS NOT NULL AND distance_m IS NOT NULL)",
        name="outside_names_nearest",
    ),
    _not_empty(),
    sa.Index("ix_membership_cohort", "cohort_id"),
    comment="Which cohort an object belonged to, from when to when;"
    " an object's rows never overlap.",
    postgresql_with=_IN_PLACE,
)

assignment = sa.Table(
    "assignment",
    sa.MetaData(),  # a view: it is read like a table, and made by its migration
    *(
        sa.Column(name, kind)
        for name, kind in (
            ("scheme_id", sa.BigInteger()),
            ("object_kind", sa.Text()),
            ("object_id", sa.BigInteger()),
            ("valid", DATERANGE()),
            ("grid_id", sa.BigInteger()),
            ("method", sa.Text()),
            ("nearest_grid_id", sa.BigInteger()),
            ("distance_m", sa.Double()),
        )
    ),
    comment="Which grid an object belonged to, from when to when: its cohorts, with their grids.",
)

facility = sa.Table(
    "facility",
    metadata,
    _serial("facility_id"),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("address", sa.Text, nullable=False, server_default=""),
    sa.Column("phone", sa.Text, nullable=False, server_default=""),
    sa.Column("grade", sa.Text, nullable=False, server_default=""),
    sa.Column("turnout_minutes", sa.Double, comment="NULL: the standard's own"),
    _geometry("point", "POINT"),
    _one_of("kind", FACILITY_KINDS, "kind_known"),
    sa.CheckConstraint("turnout_minutes >= 0", name="turnout_not_negative"),
    sa.Index("ix_facility_kind", "kind"),
    sa.Index("ix_facility_point", "point", postgresql_using="gist"),
    comment="服务点, 消防站, 微型消防站, 水源.",
)

land_cover = sa.Table(
    "land_cover",
    metadata,
    _serial("land_cover_id"),
    sa.Column("key", sa.Text, nullable=False, unique=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    _geometry("geom", "MULTIPOLYGON"),
    _one_of("kind", ("water", "green", "built"), "kind_known"),
    sa.Index("ix_land_cover_geom", "geom", postgresql_using="gist"),
    comment="Water and green for the map's background.",
)

# --- roads -------------------------------------------------------------------------------------

road_network = sa.Table(
    "road_network",
    metadata,
    _serial("network_id"),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("data_day", sa.Date),
    sa.Column("clipped", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("active", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Index(
        "uq_road_network_one_active", "active", unique=True, postgresql_where=sa.text("active")
    ),
)

road_node = sa.Table(
    "road_node",
    metadata,
    sa.Column(
        "network_id",
        sa.BigInteger,
        sa.ForeignKey("road_network.network_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("node_id", sa.BigInteger, primary_key=True, autoincrement=False),
    _geometry("point", "POINT"),
)

road_edge = sa.Table(
    "road_edge",
    metadata,
    sa.Column("network_id", sa.BigInteger, primary_key=True),
    sa.Column("edge_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source_node", sa.BigInteger, nullable=False),
    sa.Column("target_node", sa.BigInteger, nullable=False),
    sa.Column("road_class", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False, server_default=""),
    sa.Column(
        "oneway",
        sa.SmallInteger,
        nullable=False,
        server_default="0",
        comment="0 both ways, 1 along the line, -1 against it",
    ),
    sa.Column("maxspeed_kmh", REAL),
    sa.Column("bridge", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("tunnel", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("dual_carriageway", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("roundabout", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("foot", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("motor", sa.Boolean, nullable=False, server_default=sa.true()),
    sa.Column("length_m", sa.Double, nullable=False),
    _geometry("geom", "LINESTRING"),
    sa.ForeignKeyConstraint(
        ["network_id", "source_node"],
        ["road_node.network_id", "road_node.node_id"],
        ondelete="CASCADE",
    ),
    sa.ForeignKeyConstraint(
        ["network_id", "target_node"],
        ["road_node.network_id", "road_node.node_id"],
        ondelete="CASCADE",
    ),
    _one_of("road_class", ROAD_CLASSES, "road_class_known"),
    sa.CheckConstraint("oneway IN (-1, 0, 1)", name="oneway_known"),
    sa.CheckConstraint("length_m > 0", name="length_positive"),
    sa.CheckConstraint("maxspeed_kmh > 0", name="maxspeed_positive"),
    sa.Index("ix_road_edge_geom", "geom", postgresql_using="gist"),
    sa.Index("ix_road_edge_source", "network_id", "source_node"),
    sa.Index("ix_road_edge_target", "network_id", "target_node"),
)

BARRIER_TURN = "no_motor_passage"
"""The kind of turn that a bollard on a road forbids to whoever drives."""

road_turn = sa.Table(
    "road_turn",
    metadata,
    sa.Column(
        "network_id",
        sa.BigInteger,
        sa.ForeignKey("road_network.network_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("turn_number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("relation_id", sa.BigInteger, nullable=False, comment="of the source, such as OSM"),
    sa.Column("kind", sa.Text, nullable=False, comment="as the source has it: no_left_turn"),
    sa.Column("from_edge", sa.BigInteger),
    sa.Column("via_node", sa.BigInteger),
    sa.Column("to_edge", sa.BigInteger),
    sa.Column("why_not", sa.Text, comment="NULL: it is applied"),
    sa.CheckConstraint("kind ~ '^(no|only)_'", name="kind_known"),
    _one_of(
        "why_not",
        ("via_way", "conditional", "vehicle", "excepted", "unclear", "not_here"),
        "reason_known",
    ),
    sa.CheckConstraint(
        "why_not IS NOT NULL OR num_nulls(from_edge, via_node, to_edge) = 0", name="whole_or_why"
    ),
)

# --- search by name ----------------------------------------------------------------------------


def _entry_columns() -> tuple[sa.Column[Any], ...]:
    return (
        _serial("entry_id"),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("object_id", sa.BigInteger),
        sa.Column(
            "scheme_id", sa.BigInteger, comment="of a grid; NULL for all that is of no scheme"
        ),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False, server_default=""),
        sa.Column("named", sa.Text, nullable=False, comment="the name as names are compared"),
        sa.Column("words", sa.Text, nullable=False, comment="the same with what stands around it"),
        sa.Column("syllables", sa.Text, nullable=False, comment="pinyin of words"),
        sa.Column("joined", sa.Text, nullable=False, comment="pinyin of words without blanks"),
        sa.Column("spelt", sa.Text, nullable=False, comment="pinyin of the name without blanks"),
        sa.Column("initials", sa.Text, nullable=False, comment="of the name"),
        sa.Column("weight", REAL, nullable=False),
        sa.Column("grid_id", sa.BigInteger),
        _geometry("point", "POINT"),
    )


search_entry = sa.Table(
    "search_entry",
    metadata,
    *_entry_columns(),
    sa.Index("ix_search_entry_kind", "kind"),
    *(
        sa.Index(
            f"ix_search_entry_{column}",
            column,
            postgresql_using="gin",
            postgresql_ops={column: "gin_trgm_ops"},
        )
        for column in ("words", "syllables", "joined")
    ),
    comment="What can be found by name and is no person; made from the other tables.",
)

search_person = sa.Table(
    "search_person",
    metadata,
    *_entry_columns(),
    comment="The entries that tell of a person: officers. Few, and read under rules that do without"
    " indexes.",
)

search_house = sa.Table(
    "search_house",
    metadata,
    _serial("house_id"),
    sa.Column("street", sa.Text, nullable=False, comment="as names are compared"),
    sa.Column("group_number", sa.Integer),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Column("address", sa.Text, nullable=False),
    sa.Column("building_id", sa.BigInteger),
    _geometry("point", "POINT"),
    sa.Index("ix_search_house_street", "street", "number"),
    comment="House numbers by street or village; those without a building are households'.",
)

search_change = sa.Table(
    "search_change",
    metadata,
    _serial("change_id"),
    sa.Column("kind", sa.Text, nullable=False),
    comment="Which kinds of entries are out of date: triggers write, the worker makes them anew.",
)

# --- vector tiles ------------------------------------------------------------------------------

data_change = sa.Table(
    "data_change",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="of the table that changed"),
    sa.Column("at", sa.DateTime(timezone=True), primary_key=True),
    sa.Column("xid", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="One row a table and transaction that changed it; their number names a state of the"
    " data. Triggers write it, and no two transactions wait for each other.",
)

data_count = sa.Table(
    "data_count",
    metadata,
    sa.Column("name", sa.Text, primary_key=True, comment="of the table that changed"),
    sa.Column("n", sa.BigInteger, nullable=False),
    comment="How many rows of data_change were taken out; they are counted still.",
)

tile_shape = sa.Table(
    "tile_shape",
    metadata,
    _serial("shape_id"),
    sa.Column("content", sa.Text, nullable=False, comment="scheme, version and when published"),
    sa.Column("zoom", sa.SmallInteger, nullable=False),
    sa.Column("rank", sa.SmallInteger, nullable=False),
    sa.Column("grid_id", sa.BigInteger, comment="NULL: a border, rank says what it divides"),
    _geometry("geom", "GEOMETRY"),
    sa.Index("ix_tile_shape_geom", "content", "zoom", "geom", postgresql_using="gist"),
    comment="Grids and their borders, simplified together for one zoom, once for each version.",
)

tile = sa.Table(
    "tile",
    metadata,
    sa.Column("layer", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, primary_key=True, comment="names the state of the data"),
    sa.Column("z", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("x", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("y", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="MVT by gzip"),
    comment="Vector tiles that were cut before and hold something. Never a household.",
)

answer = sa.Table(
    "answer",
    metadata,
    sa.Column("question", sa.Text, primary_key=True),
    sa.Column("content", sa.Text, nullable=False, comment="names the state of the data"),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="JSON by gzip"),
    comment="Figures that were counted before, by who asked for what.",
)

# --- entered by hand ---------------------------------------------------------------------------

entry_change = sa.Table(
    "entry_change",
    metadata,
    _serial("change_id"),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("request_key", sa.Text, nullable=False, comment="a second one is the same request"),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("object_kind", sa.Text, nullable=False),
    sa.Column("object_id", sa.BigInteger, nullable=False),
    sa.Column("version", sa.Text, comment="of the row after the change"),
    sa.Column("undone", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column(
        "before",
        JSONB,
        comment="the row as it was, to undo the change; emptied when the time for that is over",
    ),
    sa.UniqueConstraint("actor_id", "request_key"),
    sa.Index("ix_entry_change_at", "at"),
    comment="The last changes by hand: against sending twice, and to take one back.",
)

# --- plans of new boundaries --------------------------------------------------------------------

plan = sa.Table(
    "plan",
    metadata,
    _serial("plan_id"),
    sa.Column("scheme_id", sa.BigInteger, sa.ForeignKey("grid_scheme.scheme_id"), nullable=False),
    sa.Column(
        "base_version_id",
        sa.BigInteger,
        sa.ForeignKey("grid_version.version_id"),
        nullable=False,
        comment="what the edits are drawn on; a newer one where both touch different grids",
    ),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, server_default=""),
    sa.Column("status", sa.Text, nullable=False, server_default="draft"),
    sa.Column("rev", sa.Integer, nullable=False, server_default="1", comment="one more each edit"),
    sa.Column("author_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column(
        "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
    ),
    sa.Column(
        "reasons", JSONB, nullable=False, server_default="{}", comment="why a warning is accepted"
    ),
    sa.Column("version_id", sa.BigInteger, sa.ForeignKey("grid_version.version_id")),
    sa.CheckConstraint("title <> ''", name="title_not_empty"),
    sa.CheckConstraint("rev >= 1", name="rev_from_one"),
    sa.CheckConstraint(
        "(status IN ('published', 'withdrawn')) = (version_id IS NOT NULL)",
        name="published_has_version",
    ),
    _one_of("status", PLAN_STATES, "status_known"),
    sa.Index("ix_plan_status", "status"),
    comment="A redraw on its way: edits on a base version, judged by another than their author.",
)

plan_edit = sa.Table(
    "plan_edit",
    metadata,
    sa.Column("plan_id", sa.BigInteger, sa.ForeignKey("plan.plan_id"), primary_key=True),
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("edit", JSONB, nullable=False, comment="as it is done again: with key and region"),
    sa.Column("touched", ARRAY(sa.Text), nullable=False, comment="keys of grids with other land"),
    sa.Column("state", sa.Text, nullable=False, server_default="done"),
    sa.Column("rev", sa.Integer, nullable=False, comment="of the plan when its state changed"),
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    _one_of("state", ("done", "undone", "dropped"), "state_known"),
    comment="Change sets in their order; a draft is made of those that are done.",
)

plan_comment = sa.Table(
    "plan_comment",
    metadata,
    _serial("comment_id"),
    sa.Column("plan_id", sa.BigInteger, sa.ForeignKey("plan.plan_id"), nullable=False),
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("text", sa.Text, nullable=False),
    sa.CheckConstraint("text <> ''", name="text_not_empty"),
    sa.Index("ix_plan_comment_plan", "plan_id"),
)

plan_review = sa.Table(
    "plan_review",
    metadata,
    _serial("review_id"),
    sa.Column("plan_id", sa.BigInteger, sa.ForeignKey("plan.plan_id"), nullable=False),
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
    sa.Column("decision", sa.Text, nullable=False),
    sa.Column("text", sa.Text, nullable=False, server_default=""),
    sa.Column("rev", sa.Integer, nullable=False, comment="what was judged"),
    _one_of("decision", PLAN_DECISIONS, "decision_known"),
    sa.Index("ix_plan_review_plan", "plan_id"),
    comment="Who decided what on a plan, and why.",
)

version_withdrawal = sa.Table(
    "version_withdrawal",
    metadata,
    sa.Column(
        "version_id", sa.BigInteger, sa.ForeignKey("grid_version.version_id"), primary_key=True
    ),
    sa.Column(
        "withdraws_id",
        sa.BigInteger,
        sa.ForeignKey("grid_version.version_id"),
        nullable=False,
        unique=True,
    ),
    sa.CheckConstraint("version_id <> withdraws_id", name="not_itself"),
    comment="Which version takes back which.",
)

# --- work: imports, jobs, coverage runs --------------------------------------------------------

import_record = sa.Table(
    "import_record",
    metadata,
    _serial("import_id"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("source_name", sa.Text, nullable=False),
    sa.Column("sha256", sa.Text, nullable=False),
    sa.Column("crs", sa.Text, nullable=False),
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column(
        "finished_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
    ),
    sa.Column("taken", JSONB, nullable=False, comment="rows taken, by table"),
    sa.Column("refused", sa.Integer, nullable=False),
    sa.Column(
        "refusals",
        JSONB,
        nullable=False,
        comment="[{row, feature, field, reason}], the first 1,000",
    ),
    sa.Column(
        "details",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="counts, key column, matched columns, encoding and layer of a file",
    ),
    comment="One row a file that went in, written in the file's own transaction.",
)

job = sa.Table(
    "job",
    metadata,
    _serial("job_id"),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column("arguments", JSONB, nullable=False),
    sa.Column("queue_id", sa.BigInteger, comment="the id in the queue library's own table"),
    sa.Column("status", sa.Text, nullable=False, server_default="waiting"),
    sa.Column("attempts", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("progress", REAL, nullable=False, server_default="0"),
    sa.Column("step", sa.Text, nullable=False, server_default=""),
    sa.Column(
        "created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
    ),
    sa.Column("started_at", sa.DateTime(timezone=True)),
    sa.Column("heartbeat_at", sa.DateTime(timezone=True)),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    sa.Column("result", JSONB),
    sa.Column("error", sa.Text),
    _one_of("status", JOB_STATES, "status_known"),
    sa.CheckConstraint("progress BETWEEN 0 AND 1", name="progress_is_share"),
    sa.CheckConstraint(
        "(status IN ('done', 'failed', 'cancelled')) = (finished_at IS NOT NULL)",
        name="ended_has_time",
    ),
    sa.Index("ix_job_status", "status"),
)

proposal = sa.Table(
    "proposal",
    metadata,
    sa.Column(
        "job_id",
        sa.BigInteger,
        sa.ForeignKey("job.job_id", ondelete="CASCADE"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("plan_id", sa.BigInteger, sa.ForeignKey("plan.plan_id"), nullable=False),
    sa.Column("draft_mark", sa.Text, nullable=False, comment="of the draft that was asked about"),
    sa.Column("answer", JSONB, nullable=False, comment="costs, and changed grids for the eye"),
    sa.Column("edits", JSONB, nullable=False, comment="by name of the answer, with all its land"),
    sa.Index("ix_proposal_plan", "plan_id"),
    comment="Grids of a town or the county drawn anew by a job, and gone with it.",
)

coverage_run = sa.Table(
    "coverage_run",
    metadata,
    _serial("run_id"),
    sa.Column("standard", sa.Text, nullable=False),
    sa.Column("scenario", sa.Text, nullable=False, server_default="normal"),
    sa.Column(
        "network_id",
        sa.BigInteger,
        sa.ForeignKey("road_network.network_id", ondelete="CASCADE"),
        nullable=True,
        comment="NULL: the region has no roads",
    ),
    sa.Column(
        "version_id", sa.BigInteger, sa.ForeignKey("grid_version.version_id"), nullable=False
    ),
    sa.Column("job_id", sa.BigInteger, sa.ForeignKey("job.job_id")),
    sa.Column("actor_id", sa.BigInteger, sa.ForeignKey("actor.actor_id"), nullable=False),
    sa.Column(
        "kinds", ARRAY(sa.Text), nullable=False, comment="order of the arrays in coverage_household"
    ),
    sa.Column("parameters", JSONB, nullable=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column(
        "inputs",
        JSONB,
        nullable=False,
        server_default="{}",
        comment="digests of what it was measured on by part, and how often each had changed",
    ),
    sa.Column("software_version", sa.Text, nullable=False),
    sa.Column("summary", JSONB, nullable=False, server_default="{}"),
    sa.Column(
        "finished_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()
    ),
    sa.Index("ix_coverage_run_standard", "standard", "finished_at"),
    sa.Index("ix_coverage_run_job", "job_id"),
    comment="A measured coverage; written whole in one transaction, so a half run never shows.",
)

coverage_household = sa.Table(
    "coverage_household",
    metadata,
    sa.Column(
        "run_id",
        sa.BigInteger,
        sa.ForeignKey("coverage_run.run_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("household_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("status", sa.SmallInteger, nullable=False),
    sa.Column(
        "minutes", REAL, comment="by the standard's rule over kinds; NULL where none arrives"
    ),
    sa.Column("kind_status", ARRAY(sa.SmallInteger), nullable=False),
    sa.Column("kind_minutes", ARRAY(REAL), nullable=False),
    sa.Column("kind_facility", ARRAY(sa.BigInteger), nullable=False),
    sa.CheckConstraint("status BETWEEN 0 AND 3", name="status_known"),
    comment="0 covered, 1 too far, 2 unreachable, 3 off the network.",
)

coverage_figure = sa.Table(
    "coverage_figure",
    metadata,
    sa.Column(
        "run_id",
        sa.BigInteger,
        sa.ForeignKey("coverage_run.run_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    sa.Column("rank", sa.SmallInteger, primary_key=True, autoincrement=False),
    sa.Column("grid_id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, primary_key=True, comment="'' is the standard's rule over kinds"),
    sa.Column("of", sa.Text, primary_key=True, server_default="households"),
    sa.Column("n", sa.Integer, nullable=False),
    sa.Column("covered", sa.Integer, nullable=False),
    sa.Column("too_far", sa.Integer, nullable=False),
    sa.Column("unreachable", sa.Integer, nullable=False),
    sa.Column("off_network", sa.Integer, nullable=False),
    sa.Column("median_minutes", REAL),
    sa.Column("p90_minutes", REAL),
    sa.Column("worst_minutes", REAL),
    sa.CheckConstraint("covered + too_far + unreachable + off_network = n", name="adds_up"),
    _one_of("of", COVERAGE_OF, "of_known"),
    comment="rank 0 is the county (grid_id 0); of other things than households n > 0 only.",
)
