"""Long work over HTTP: how it stands, and stopping it."""

from pydantic import BaseModel, ConfigDict

from gis_service import job_queries, jobs
from gis_service.api import examples
from gis_service.api.dependencies import (
    ActorDep,
    ConnectionDep,
    IdPath,
    LanguageDep,
    Page,
    PagingDep,
    StoreDep,
)
from gis_service.api.routing import ServiceRouter
from gis_service.messages import Language, text

router = ServiceRouter(prefix="/api/jobs", tags=["jobs"])


class JobAnswer(BaseModel):
    """A job as it stands; ``step_text`` says the step in the reader's language."""

    model_config = ConfigDict(json_schema_extra={"example": examples.JOB})

    job_id: int
    kind: str
    status: str
    progress: float
    step: str
    step_text: str
    result: dict[str, object] | None
    error: str | None

    @classmethod
    def of(cls, state: job_queries.JobState, language: Language) -> "JobAnswer":
        """Put a state into words."""
        step = text(state.step, language) if state.step else ""
        result = None if state.result is None else dict(state.result)
        return cls(
            job_id=state.job_id,
            kind=state.kind,
            status=state.status,
            progress=state.progress,
            step=state.step,
            step_text=step,
            result=result,
            error=state.error_in(language),
        )


@router.get("", responses=examples.ok(examples.page(examples.JOB)))
def list_jobs(
    connection: ConnectionDep, actor: ActorDep, language: LanguageDep, paging: PagingDep
) -> Page[JobAnswer]:
    """List the actor's jobs, the newest first."""
    states, total = job_queries.list_visible_jobs(
        connection, actor, limit=paging.limit, offset=paging.offset
    )
    return Page(
        items=[JobAnswer.of(state, language) for state in states],
        total=total,
        limit=paging.limit,
        offset=paging.offset,
    )


@router.get("/{job_id}", responses=examples.ok(examples.JOB))
def read_job(
    connection: ConnectionDep, actor: ActorDep, language: LanguageDep, job_id: IdPath
) -> JobAnswer:
    """Tell how a job of the actor's stands."""
    return JobAnswer.of(job_queries.find_visible_job(connection, actor, job_id), language)


@router.post("/{job_id}/cancel", responses=examples.ok(examples.JOB))
def cancel_job(
    store: StoreDep, actor: ActorDep, language: LanguageDep, job_id: IdPath
) -> JobAnswer:
    """Stop a job of the actor's; one that has ended stays as it is."""
    with store.transaction(actor) as connection:
        job_queries.find_visible_job(connection, actor, job_id)
    jobs.cancel(store, actor, job_id)
    with store.transaction(actor) as connection:
        return JobAnswer.of(job_queries.find_job(connection, job_id), language)
