"""What plans write: rows, edits, comments and steps; whether they may is asked in ``life``."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from gis_service.boundaries.plans.queries import Plan, StoredEdit
from gis_service.grids.versions import Version
from gis_service.store import tables as t


def insert_plan(
    connection: sa.Connection, version: Version, author_id: int, title: str, reason: str
) -> int:
    """Write a plan on a version, and give its id."""
    plan_id: int = connection.execute(
        sa.insert(t.plan)
        .values(
            scheme_id=version.scheme_id,
            base_version_id=version.version_id,
            title=title,
            reason=reason,
            author_id=author_id,
        )
        .returning(t.plan.c.plan_id)
    ).scalar_one()
    return plan_id


def write_base(connection: sa.Connection, plan_id: int, version_id: int) -> None:
    """Put a plan on another version."""
    write_columns(connection, plan_id, {"base_version_id": version_id})


def write_columns(connection: sa.Connection, plan_id: int, values: Mapping[str, Any]) -> None:
    """Write some columns of a plan's row; whoever watches plans is told by that."""
    connection.execute(sa.update(t.plan).where(t.plan.c.plan_id == plan_id).values(**values))


def notify_watchers(connection: sa.Connection, plan_id: int) -> None:
    """Tell whoever watches, without a new revision: no edit is out of date by this."""
    write_columns(connection, plan_id, {"rev": t.plan.c.rev})


def drop_undone(connection: sa.Connection, plan_id: int, rev: int) -> None:
    """Let no undone edit of a plan be done again."""
    stored = t.plan_edit.c
    connection.execute(
        sa.update(t.plan_edit)
        .where(stored.plan_id == plan_id, stored.state == "undone")
        .values(state="dropped", rev=rev)
    )


def insert_edit(
    connection: sa.Connection,
    plan: Plan,
    stored: StoredEdit,
    touched: Sequence[str],
    actor_id: int,
) -> None:
    """Write an edit as the plan's next revision."""
    connection.execute(
        sa.insert(t.plan_edit).values(
            plan_id=plan.plan_id,
            seq=stored.seq,
            edit=stored.edit,
            touched=list(touched),
            rev=plan.rev + 1,
            actor_id=actor_id,
        )
    )


def write_edit_state(connection: sa.Connection, plan: Plan, seq: int, state: str) -> None:
    """Write that an edit is done or undone, as the plan's next revision."""
    stored = t.plan_edit.c
    connection.execute(
        sa.update(t.plan_edit)
        .where(stored.plan_id == plan.plan_id, stored.seq == seq)
        .values(state=state, rev=plan.rev + 1)
    )


def insert_comment(connection: sa.Connection, plan_id: int, actor_id: int, text: str) -> None:
    """Write a comment."""
    connection.execute(
        sa.insert(t.plan_comment).values(plan_id=plan_id, actor_id=actor_id, text=text)
    )


def insert_review(
    connection: sa.Connection, plan: Plan, actor_id: int, decision: str, text: str
) -> None:
    """Write who decided what at which revision."""
    connection.execute(
        sa.insert(t.plan_review).values(
            plan_id=plan.plan_id, actor_id=actor_id, decision=decision, text=text, rev=plan.rev
        )
    )


def insert_proposal(
    connection: sa.Connection,
    job_id: int,
    plan_id: int,
    draft_mark: str,
    answer: Mapping[str, Any],
    edits: Mapping[str, Any],
) -> None:
    """Write what a job has proposed for a plan, and the edit that each of its answers is."""
    connection.execute(
        sa.insert(t.proposal).values(
            job_id=job_id,
            plan_id=plan_id,
            draft_mark=draft_mark,
            answer=dict(answer),
            edits=dict(edits),
        )
    )
