"""A plan's way: drawn, reviewed, approved by another one, published or discarded.

Every step takes the plan's row first, so that two people cannot go on from the same revision
without knowing of each other. What is stored are edits; drafts are made of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from gis_service import access
from gis_service.access import Actor
from gis_service.access.permissions import PLAN, READ_PLANS
from gis_service.boundaries.plans.drafts import StoredEdit
from gis_service.boundaries.publication.reading import newest_version
from gis_service.errors import ConflictError, InputError, NotAllowedError, NotFoundError, Place
from gis_service.grids.versions import Version
from gis_service.messages import Language
from gis_service.store import tables as t

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


@dataclass(frozen=True)
class Plan:
    """A plan's row with its scheme and the version that it is drawn on."""

    plan_id: int
    scheme_id: int
    scheme: str
    title: str
    reason: str
    status: str
    rev: int
    author_id: int
    created_at: Any
    reasons: dict[str, str]
    version_id: int | None
    base: Version


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
    version = newest_version(connection, scheme)
    plan_id: int = connection.execute(
        sa.insert(t.plan)
        .values(
            scheme_id=version.scheme_id,
            base_version_id=version.version_id,
            title=title.strip(),
            reason=reason.strip(),
            author_id=actor.actor_id,
        )
        .returning(t.plan.c.plan_id)
    ).scalar_one()
    access.record(connection, actor, "create", "plan", plan_id, after={"title": title.strip()})
    return plan_id


def find_plan(connection: sa.Connection, plan_id: int, *, lock: bool = False) -> Plan:
    """
    Read a plan's row.

    Parameters
    ----------
    connection
        An open transaction.
    plan_id
        Which.
    lock
        Hold it to the end of the transaction.

    Returns
    -------
    Plan
        As it stands.

    Raises
    ------
    NotFoundError
        There is no such plan.
    """
    query = sa.select(t.plan).where(t.plan.c.plan_id == plan_id)
    row = connection.execute(query.with_for_update() if lock else query).first()
    if row is None:
        raise NotFoundError("boundaries.no_plan", plan=plan_id)
    version = connection.execute(
        sa.select(t.grid_version, t.grid_scheme.c.code)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == t.grid_version.c.scheme_id)
        .where(t.grid_version.c.version_id == row.base_version_id)
    ).one()
    return Plan(
        row.plan_id,
        row.scheme_id,
        version.code,
        row.title,
        row.reason,
        row.status,
        row.rev,
        row.author_id,
        row.created_at,
        row.reasons,
        row.version_id,
        Version(
            version.version_id,
            version.scheme_id,
            version.code,
            version.effective_day,
            version.title,
        ),
    )


def read_edits_done(connection: sa.Connection, plan_id: int) -> list[StoredEdit]:
    """Read the edits of which a draft is made."""
    stored = t.plan_edit.c
    query = sa.select(stored.seq, stored.edit).where(
        stored.plan_id == plan_id, stored.state == "done"
    )
    return [StoredEdit(seq, edit) for seq, edit in connection.execute(query.order_by(stored.seq))]


def read_edit_rows(connection: sa.Connection, plan_id: int, since: int = 0) -> list[dict[str, Any]]:
    """List edits with who made them."""
    stored, actor = t.plan_edit.c, t.actor.c
    query = (
        sa.select(t.plan_edit, actor.name, actor.name_en)
        .join(t.actor, actor.actor_id == stored.actor_id)
        .where(stored.plan_id == plan_id, stored.rev > since, stored.state != "dropped")
    )
    return [
        {
            "seq": row.seq,
            "edit": row.edit,
            "actor": {"actor_id": row.actor_id, "name": row.name, "name_en": row.name_en},
            "at": row.at.isoformat(),
            "state": row.state,
        }
        for row in connection.execute(query.order_by(stored.seq))
    ]


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
    plan = find_plan(connection, plan_id, lock=True)
    check_open(connection, plan, rev)
    return plan


def check_open(connection: sa.Connection, plan: Plan, rev: int) -> None:
    """Refuse an edit on a plan that is closed, or of another revision."""
    if plan.status != "draft":
        key = "boundaries.plan_published" if plan.version_id else "boundaries.plan_closed"
        raise ClosedPlanError(key, plan.status, plan.version_id)
    if rev != plan.rev:
        raise LostUpdateError(plan.rev, read_edit_rows(connection, plan.plan_id, rev))


def count_next_seq(connection: sa.Connection, plan_id: int) -> int:
    """Give the number of the next edit."""
    stored = t.plan_edit.c
    last = connection.scalar(sa.select(sa.func.max(stored.seq)).where(stored.plan_id == plan_id))
    return int(last or 0) + 1


def add_edit(
    connection: sa.Connection, actor: Actor, plan: Plan, stored: StoredEdit, touched: Sequence[str]
) -> int:
    """Store an edit; what had been undone cannot be done again from now on."""
    columns = t.plan_edit.c
    rev = plan.rev + 1
    connection.execute(
        sa.update(t.plan_edit)
        .where(columns.plan_id == plan.plan_id, columns.state == "undone")
        .values(state="dropped", rev=rev)
    )
    connection.execute(
        sa.insert(t.plan_edit).values(
            plan_id=plan.plan_id,
            seq=stored.seq,
            edit=stored.edit,
            touched=list(touched),
            rev=rev,
            actor_id=actor.actor_id,
        )
    )
    return _raise_revision(
        connection, actor, plan, "edit", {"kind": stored.edit["kind"], "seq": stored.seq}
    )


def find_last_edit(connection: sa.Connection, plan_id: int, direction: str) -> StoredEdit:
    """Find the edit that is undone or done again next."""
    stored = t.plan_edit.c
    state, order = ("done", stored.seq.desc()) if direction == "undo" else ("undone", stored.seq)
    row = connection.execute(
        sa.select(stored.seq, stored.edit)
        .where(stored.plan_id == plan_id, stored.state == state)
        .order_by(order)
        .limit(1)
    ).first()
    if row is None:
        raise InputError(f"boundaries.nothing_to_{direction}")
    return StoredEdit(row.seq, row.edit)


def mark_edit(
    connection: sa.Connection, actor: Actor, plan: Plan, stored: StoredEdit, direction: str
) -> int:
    """Write that an edit is undone, or done again."""
    columns = t.plan_edit.c
    connection.execute(
        sa.update(t.plan_edit)
        .where(columns.plan_id == plan.plan_id, columns.seq == stored.seq)
        .values(state="undone" if direction == "undo" else "done", rev=plan.rev + 1)
    )
    return _raise_revision(connection, actor, plan, direction, {"seq": stored.seq})


def _raise_revision(
    connection: sa.Connection, actor: Actor, plan: Plan, action: str, after: Mapping[str, object]
) -> int:
    connection.execute(
        sa.update(t.plan).where(t.plan.c.plan_id == plan.plan_id).values(rev=plan.rev + 1)
    )
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
    plan = find_plan(connection, plan_id, lock=True)
    if not words.strip():
        raise InputError("boundaries.text_missing", place=Place(field="text"))
    connection.execute(
        sa.insert(t.plan_comment).values(
            plan_id=plan.plan_id, actor_id=actor.actor_id, text=words.strip()
        )
    )
    _notify_watchers(connection, plan.plan_id)
    access.record(connection, actor, "comment", "plan", plan.plan_id)


def _notify_watchers(connection: sa.Connection, plan_id: int) -> None:
    """Tell whoever watches, without a new revision: no edit is out of date by this."""
    connection.execute(
        sa.update(t.plan).where(t.plan.c.plan_id == plan_id).values(rev=t.plan.c.rev)
    )


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
    if decision == "approved" and actor.actor_id in _read_editors(connection, plan.plan_id):
        raise NotAllowedError("boundaries.edited_by_you")
    if decision == "rejected" and not words.strip():
        raise InputError("boundaries.text_missing", place=Place(field="text"))
    values: dict[str, Any] = {"status": after}
    if version_id is not None:
        values["version_id"] = version_id
    if reasons is not None:
        values["reasons"] = {**plan.reasons, **reasons}
    connection.execute(sa.update(t.plan).where(t.plan.c.plan_id == plan.plan_id).values(**values))
    connection.execute(
        sa.insert(t.plan_review).values(
            plan_id=plan.plan_id,
            actor_id=actor.actor_id,
            decision=decision,
            text=words.strip(),
            rev=plan.rev,
        )
    )
    access.record(
        connection,
        actor,
        decision,
        "plan",
        plan.plan_id,
        before={"status": plan.status},
        after={"status": after, "rev": plan.rev},
    )


def _read_editors(connection: sa.Connection, plan_id: int) -> set[int]:
    """Tell who has had a hand in a plan: drawn in it, taken an edit back or done it again."""
    event = t.event.c
    return set(
        connection.execute(
            sa.select(event.actor_id)
            .distinct()
            .where(
                event.object_kind == "plan",
                event.object_id == str(plan_id),
                event.action.in_(("edit", "undo", "redo")),
            )
        ).scalars()
    )


def read_discussion(
    connection: sa.Connection, plan_id: int
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Read who said and decided what."""
    said: list[list[dict[str, Any]]] = []
    for table, names in ((t.plan_review, ("decision", "text", "rev")), (t.plan_comment, ("text",))):
        rows = connection.execute(
            sa.select(table, t.actor.c.name, t.actor.c.name_en)
            .join(t.actor, t.actor.c.actor_id == table.c.actor_id)
            .where(table.c.plan_id == plan_id)
            .order_by(table.c.at, *table.primary_key)
        )
        said.append(
            [
                {
                    "actor": {
                        "actor_id": row.actor_id, "name": row.name, "name_en": row.name_en,
                    },
                    "at": row.at.isoformat(),
                    **{name: getattr(row, name) for name in names},
                }
                for row in rows
            ]
        )  # fmt: skip
    return said[0], said[1]


def list_plans(connection: sa.Connection, scheme: str) -> list[dict[str, Any]]:
    """
    List the plans of a scheme, the newest first.

    Parameters
    ----------
    connection
        An open transaction.
    scheme
        Its code.

    Returns
    -------
    list of dict
        Without their edits.
    """
    plan, row, actor = t.plan.c, t.plan_edit.c, t.actor.c
    counted = (
        sa.select(sa.func.count())
        .where(row.plan_id == plan.plan_id, row.state == "done")
        .scalar_subquery()
    )
    rows = connection.execute(
        sa.select(t.plan, counted.label("edit_count"), actor.name, actor.name_en)
        .join(t.actor, actor.actor_id == plan.author_id)
        .join(t.grid_scheme, t.grid_scheme.c.scheme_id == plan.scheme_id)
        .where(t.grid_scheme.c.code == scheme)
        .order_by(plan.plan_id.desc())
    )
    return [
        {
            "plan_id": line.plan_id,
            "title": line.title,
            "reason": line.reason,
            "status": line.status,
            "rev": line.rev,
            "edit_count": line.edit_count,
            "author": {"actor_id": line.author_id, "name": line.name, "name_en": line.name_en},
            "created_at": line.created_at.isoformat(),
            "base_version": line.base_version_id,
            "version_id": line.version_id,
        }
        for line in rows
    ]
