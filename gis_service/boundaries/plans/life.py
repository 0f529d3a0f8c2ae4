"""A plan's way: drawn, reviewed, approved by another one, published or discarded.

Every step takes the plan's row first, so that two people cannot go on from the same revision
without knowing of each other. What is stored are edits; drafts are made of them.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import sqlalchemy as sa

from gis_service import access
from gis_service.access import Actor
from gis_service.access.permissions import PLAN, READ_PLANS
from gis_service.boundaries.plans import queries, writing
from gis_service.boundaries.plans.queries import Plan, StoredEdit
from gis_service.boundaries.publication.queries import find_newest_version
from gis_service.errors import ConflictError, InputError, NotAllowedError, Place
from gis_service.messages import Language

OPEN: Final = ("draft", "in_review", "approved")


class LostUpdateError(ConflictError):
    """
    Somebody else went on in the meantime.

    Parameters
    ----------
    rev
        The plan's revision now.
    edits
        What was done since the one that was known.
    """

    def __init__(self, rev: int, edits: list[dict[str, Any]]) -> None:
        self.rev, self.edits = rev, edits
        super().__init__("boundaries.plan_moved_on", rev=rev, n=len(edits))

    def details(self, language: Language) -> dict[str, object]:  # noqa: ARG002
        """
        Tell both versions.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        dict
            ``rev`` and the ``edits`` since.
        """
        return {"rev": self.rev, "edits": self.edits}


class ClosedPlanError(ConflictError):
    """
    The plan is not open for this any more.

    Parameters
    ----------
    key
        The message.
    status
        How the plan stands.
    version_id
        The version that it became.
    """

    def __init__(self, key: str, status: str, version_id: int | None) -> None:
        self.state, self.version_id = status, version_id
        super().__init__(key, state=status, version=version_id or "-")

    def details(self, language: Language) -> dict[str, object]:  # noqa: ARG002
        """
        Tell what it became.

        Parameters
        ----------
        language
            The reader's.

        Returns
        -------
        dict
            ``plan_status`` and ``version_id``.
        """
        return {"plan_status": self.state, "version_id": self.version_id}


def create_plan(
    connection: sa.Connection, actor: Actor, scheme: str, title: str, reason: str
) -> int:
    """
    Begin a plan on the newest version.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who begins.
    scheme
        Code of the scheme.
    title, reason
        What it is called, and why it is made.

    Returns
    -------
    int
        The plan's id.

    Raises
    ------
    InputError
        It has no title.
    """
    PLAN.require(actor)
    if not title.strip():
        raise InputError("boundaries.plan_without_title", place=Place(field="title"))
    version = find_newest_version(connection, scheme)
    plan_id = writing.insert_plan(
        connection, version, actor.actor_id, title.strip(), reason.strip()
    )
    access.record(connection, actor, "create", "plan", plan_id, after={"title": title.strip()})
    return plan_id


def open_for_edit(connection: sa.Connection, actor: Actor, plan_id: int, rev: int) -> Plan:
    """
    Take a plan's row to change its edits.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who edits.
    plan_id
        Which plan.
    rev
        The revision that the editor saw.

    Returns
    -------
    Plan
        Held until the end of the transaction.

    Raises
    ------
    LostUpdateError
        Somebody else went on.
    ClosedPlanError
        It is not a draft any more.
    """
    PLAN.require(actor)
    plan = queries.find_plan(connection, plan_id, lock=True)
    check_open(connection, plan, rev)
    return plan


def check_open(connection: sa.Connection, plan: Plan, rev: int) -> None:
    """Refuse an edit on a plan that is closed, or of another revision."""
    if plan.status != "draft":
        key = "boundaries.plan_published" if plan.version_id else "boundaries.plan_closed"
        raise ClosedPlanError(key, plan.status, plan.version_id)
    if rev != plan.rev:
        raise LostUpdateError(plan.rev, queries.read_edit_rows(connection, plan.plan_id, rev))


def add_edit(
    connection: sa.Connection, actor: Actor, plan: Plan, stored: StoredEdit, touched: Sequence[str]
) -> int:
    """Store an edit; what had been undone cannot be done again from now on."""
    writing.drop_undone(connection, plan.plan_id, plan.rev + 1)
    writing.insert_edit(connection, plan, stored, touched, actor.actor_id)
    return _raise_revision(
        connection, actor, plan, "edit", {"kind": stored.edit["kind"], "seq": stored.seq}
    )


def mark_edit(
    connection: sa.Connection, actor: Actor, plan: Plan, stored: StoredEdit, direction: str
) -> int:
    """Write that an edit is undone, or done again."""
    state = "undone" if direction == "undo" else "done"
    writing.write_edit_state(connection, plan, stored.seq, state)
    return _raise_revision(connection, actor, plan, direction, {"seq": stored.seq})


def _raise_revision(
    connection: sa.Connection, actor: Actor, plan: Plan, action: str, after: Mapping[str, object]
) -> int:
    writing.write_columns(connection, plan.plan_id, {"rev": plan.rev + 1})
    access.record(
        connection, actor, action, "plan", plan.plan_id, after={"rev": plan.rev + 1, **after}
    )
    return plan.rev + 1


def add_comment(connection: sa.Connection, actor: Actor, plan_id: int, words: str) -> None:
    """
    Say something about a plan.

    Parameters
    ----------
    connection
        A transaction in the actor's name.
    actor
        Who says it.
    plan_id
        About which plan.
    words
        What.

    Raises
    ------
    InputError
        Nothing was said.
    """
    READ_PLANS.require(actor)
    plan = queries.find_plan(connection, plan_id, lock=True)
    if not words.strip():
        raise InputError("boundaries.text_missing", place=Place(field="text"))
    writing.insert_comment(connection, plan.plan_id, actor.actor_id, words.strip())
    writing.notify_watchers(connection, plan.plan_id)
    access.record(connection, actor, "comment", "plan", plan.plan_id)


_NEXT: Final[Mapping[str, tuple[tuple[str, ...], str]]] = {
    "submitted": (("draft",), "in_review"),
    "approved": (("in_review",), "approved"),
    "rejected": (("in_review", "approved"), "draft"),
    "published": (("approved",), "published"),
    "withdrawn": (("published",), "withdrawn"),
    "discarded": (OPEN, "discarded"),
}


def decide(
    connection: sa.Connection,
    actor: Actor,
    plan: Plan,
    decision: str,
    *,
    words: str = "",
    version_id: int | None = None,
    reasons: Mapping[str, str] | None = None,
) -> None:
    """
    Take a plan a step on, and write down who decided and why.

    Parameters
    ----------
    connection
        A transaction that holds the plan's row.
    actor
        Who decides.
    plan
        The plan.
    decision
        ``submitted``, ``approved``, ``rejected``, ``published``, ``withdrawn`` or ``discarded``.
    words
        Why; a rejection needs them.
    version_id
        What it became.
    reasons
        Why warnings are accepted, by their ids.

    Raises
    ------
    ClosedPlanError
        From its state no such step leads on.
    NotAllowedError
        The author may not judge the plan, and nobody approves what they have edited.
    InputError
        A rejection without words.
    """
    PLAN.require(actor)
    before, after = _NEXT[decision]
    if plan.status not in before:
        raise ClosedPlanError("boundaries.step_not_now", plan.status, plan.version_id)
    if decision in ("approved", "rejected") and actor.actor_id == plan.author_id:
        raise NotAllowedError("boundaries.own_plan")
    if decision == "approved" and actor.actor_id in queries.read_editors(connection, plan.plan_id):
        raise NotAllowedError("boundaries.edited_by_you")
    if decision == "rejected" and not words.strip():
        raise InputError("boundaries.text_missing", place=Place(field="text"))
    values: dict[str, Any] = {"status": after}
    if version_id is not None:
        values["version_id"] = version_id
    if reasons is not None:
        values["reasons"] = {**plan.reasons, **reasons}
    writing.write_columns(connection, plan.plan_id, values)
    writing.insert_review(connection, plan, actor.actor_id, decision, words.strip())
    access.record(
        connection,
        actor,
        decision,
        "plan",
        plan.plan_id,
        before={"status": plan.status},
        after={"status": after, "rev": plan.rev},
    )
