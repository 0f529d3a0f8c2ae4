"""Who may do and see what: every set of roles stands here or with a kind of record.

Areas come on top: whoever answers for some grids only may enter what lies in these, and is refused
where a permission reaches over the whole county. Which role takes which step of an incident is a
rule that a county changes in its own file (``incidents/rules.toml``). The reasons stand in
docs/decisions: 0006 (who enters what), 0013 (who is told an address), 0020 (rules in one place).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from gis_service.access.actor import Actor
from gis_service.errors import NotAllowedError
from gis_service.records import RECORDS, list_entered
from gis_service.roles import LOCAL_ROLES, ROLES, Role

Need = Literal["records", "help"]
"""What an address is asked for: to keep the records and visit, or to send help to one place."""


@dataclass(frozen=True)
class Permission:
    """
    Roles that may do one thing.

    Attributes
    ----------
    refusal
        Message key for those who may not; empty where nothing is refused but left out.
    whole_county
        Whether areas of one's own are not enough.
    """

    roles: frozenset[Role]
    refusal: str = ""
    whole_county: bool = False

    def allows(self, actor: Actor) -> bool:
        """
        Tell whether an actor may.

        Parameters
        ----------
        actor
            Who asks.

        Returns
        -------
        bool
            By role, and by areas where the whole county is needed.
        """
        return actor.role in self.roles and not (self.whole_county and actor.areas is not None)

    def require(self, actor: Actor) -> None:
        """
        Refuse an actor who may not.

        Parameters
        ----------
        actor
            Who asks.

        Raises
        ------
        NotAllowedError
            The role may not, or it answers for a part of the county only.
        """
        if not self.allows(actor):
            raise NotAllowedError(self.refusal, actor=actor.name)


def _roles(*names: Role) -> frozenset[Role]:
    return frozenset(names)


STAFF: Final = frozenset(ROLES) - {"administrator", "auditor", "display", "visitor"}
"""Who works with people and trouble; the others look after the service, its record or a screen."""

_OFFICE_AND_LOCAL: Final = LOCAL_ROLES | _roles("county_office")

SEE_ALL_JOBS: Final = Permission(_roles("county_office"))
"""Others see their own."""

_STAFF_ONLY: Final = Permission(STAFF)
_COUNTY_ONLY: Final = Permission(STAFF, whole_county=True)

SEE: Final[Mapping[str, Permission]] = {
    **dict.fromkeys(
        (
            "cohort_grid", "coverage_household", "grid_duty", "hazard", "household", "incident",
            "incident_photo", "incident_step", "leave", "membership", "officer", "premises",
            "search_house", "search_person",
        ),
        _STAFF_ONLY,
    ),
    **dict.fromkeys(("entry_change", "import_record", "incident_intake"), _COUNTY_ONLY),
    "answer": Permission(frozenset()),
    "job": SEE_ALL_JOBS,
}  # fmt: skip
"""By table with rules by rows (``tables.WITH_ROW_RULES``); ``access.visible`` adds the areas, and
what is one's own. Migration 0021 says the same in the database."""

KNOW_ADDRESSES: Final[Mapping[Need, Permission]] = {
    "records": Permission(_OFFICE_AND_LOCAL),
    "help": Permission(_OFFICE_AND_LOCAL | _roles("dispatcher")),
}
"""By need: of the households in sight."""

REVEAL_HOUSEHOLD: Final = Permission(_OFFICE_AND_LOCAL, "access.may_not_reveal")
"""Who lives in a household, after giving a reason that is written down."""

REVEAL_REPORTER: Final = Permission(
    _OFFICE_AND_LOCAL | _roles("dispatcher"), "incidents.may_not_reveal"
)
"""Who reported an incident, to call back; a reason is written down."""

IMPORT: Final = Permission(
    _roles("county_office", "planner"), "access.may_not_import", whole_county=True
)
"""A file reaches over the whole county."""

LOCATE_FILES: Final = Permission(STAFF, "access.may_not_locate_files")
"""A whole file of places; it goes back to whoever sent it."""

PLACE_REPORTS: Final = Permission(
    _roles("county_office", "dispatcher"), "incidents.may_not_place", whole_county=True
)
"""Reports that came without a place."""

EDIT_CALENDAR: Final = Permission(_roles("county_office"), "incidents.may_not_edit_calendar")

PLAN: Final = Permission(
    _roles("county_office", "planner"), "boundaries.may_not_plan", whole_county=True
)
"""Redraw boundaries, review and publish."""

READ_PLANS: Final = Permission(
    PLAN.roles | _roles("analyst", "dispatcher"), "boundaries.may_not_see_plans", whole_county=True
)
"""Figures of the county, reasons, reviews."""

MEASURE: Final = Permission(
    _roles("county_office", "planner", "analyst"), "coverage.whole_county_only", whole_county=True
)
"""Start a coverage run or a search for sites."""

REPORT: Final = Permission(STAFF, "reports.whole_county_only", whole_county=True)
"""Have the coverage of the county written as a report."""

JOB_RESULTS: Final[Mapping[str, Permission]] = {
    "coverage_report": REPORT,
    "coverage_run": MEASURE,
    "coverage_sites": MEASURE,
    "import_file": IMPORT,
    "propose": PLAN,
}
"""By kind of job: what whoever reads its result may do on that day, whoever had it done."""

READ_COUNTS: Final = Permission(STAFF | _roles("display"), whole_county=True)
"""Exact counts of a coverage run; others are told its share."""

MANAGE_ACCOUNTS: Final = Permission(
    _roles("administrator"), "access.may_not_manage_accounts", whole_county=True
)
"""Add and end accounts and keys, change their roles and areas."""

WHOLE_COUNTY_ROLES: Final = MANAGE_ACCOUNTS.roles | _roles("auditor")
"""Whom areas of their own would leave without anything to do."""

ROLES_OF_ACCOUNTS: Final = tuple(role for role in ROLES if role not in _roles("visitor"))
"""Whoever has none is a visitor."""

ROLES_OF_KEYS: Final = frozenset(ROLES_OF_ACCOUNTS) - MANAGE_ACCOUNTS.roles
"""Accounts are managed by people."""

READ_RECORD: Final = Permission(_roles("auditor"), "access.may_not_read_record", whole_county=True)
"""Read who did and saw what; whoever looks is on it too."""

REASONS: Final = ("visit", "emergency", "correction", "request")
"""Why somebody looks; chosen, never typed, so that no personal data gets into the record."""


def entering(kind: str) -> Permission:
    """
    Tell who adds and changes records of a kind by hand.

    Parameters
    ----------
    kind
        One of ``records.RECORDS``, which names the roles.

    Returns
    -------
    Permission
        By role; the areas are looked at where the place is known.
    """
    return Permission(RECORDS[kind].writers, "access.may_not_enter")


NAMED: Final[Mapping[str, Permission]] = {
    **{f"see_{table}": permission for table, permission in SEE.items()},
    **{f"enter_{kind}": entering(kind) for kind in list_entered()},
    "reveal_household": REVEAL_HOUSEHOLD,
    "reveal_reporter": REVEAL_REPORTER,
    "import": IMPORT,
    "locate_files": LOCATE_FILES,
    "place_reports": PLACE_REPORTS,
    "edit_calendar": EDIT_CALENDAR,
    "plan": PLAN,
    "read_plans": READ_PLANS,
    "measure": MEASURE,
    "read_counts": READ_COUNTS,
    "manage_accounts": MANAGE_ACCOUNTS,
    "read_record": READ_RECORD,
}
"""As a page asks for them, which offers nobody what would be refused."""


def list_allowed(actor: Actor) -> list[str]:
    """
    Name what an actor may do and see.

    Parameters
    ----------
    actor
        Who asks.

    Returns
    -------
    list of str
        Names of :data:`NAMED`.
    """
    return [name for name, permission in NAMED.items() if permission.allows(actor)]
