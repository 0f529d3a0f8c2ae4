"""What is answered about plans and versions, as the description of the API has it.

These models describe answers that ``boundaries`` makes; nothing is checked against them when it is
sent.
"""

from datetime import date, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from gis_service.api.geojson import FeatureCollection, Geometry
from gis_service.boundaries.plans.drafts import Stage

State = Literal["draft", "in_review", "approved", "published", "withdrawn", "discarded"]


class _FromAttributes(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Person(_FromAttributes):
    """Who did it."""

    actor_id: int
    name: str
    name_en: str


class _Plan(_FromAttributes):
    plan_id: int
    title: str
    reason: str
    status: State
    rev: int
    author: Person
    created_at: datetime
    base_version: int
    version_id: int | None


class PlanListed(_Plan):
    """A plan in a list."""

    edit_count: int


class EditAnswer(_FromAttributes):
    """An edit as it is stored, and in a few words."""

    seq: int
    edit: dict[str, Any]
    actor: Person
    at: datetime
    state: Literal["done", "undone"]
    summary: str


class CommentAnswer(_FromAttributes):
    """What somebody said."""

    actor: Person
    at: datetime
    text: str


class ReviewAnswer(CommentAnswer):
    """What somebody decided, and of which revision."""

    decision: Literal["submitted", "approved", "rejected", "published", "withdrawn", "discarded"]
    rev: int


class ConflictAnswer(_FromAttributes):
    """Land that a later version has changed too."""

    grids: list[str]
    keys: list[str]
    text: str
    place: Geometry | None
    theirs: Geometry | None
    ours: Geometry | None


class PlanAnswer(_Plan):
    """All about a plan."""

    scheme: str
    base_day: date
    edits: list[EditAnswer]
    can_undo: bool
    can_redo: bool
    reasons: dict[str, str]
    reviews: list[ReviewAnswer]
    comments: list[CommentAnswer]
    conflicts: list[ConflictAnswer]
    size_rule: dict[str, tuple[int, int]] | None


class StageAnswer(_FromAttributes):
    """How far the first opening of a plan is."""

    stage: Stage


class FaceProperties(_FromAttributes):
    """A base grid as drafted."""

    key: str
    name: str
    code: str
    parent: str
    households: int
    target: tuple[int, int] | None
    changed: bool
    is_new: bool


class EdgeProperties(_FromAttributes):
    """A run of border."""

    left: str | None
    right: str | None
    kind: str
    drawn: bool


class SnapProperties(_FromAttributes):
    """A line that a drawn one may follow."""

    kind: str


class BuildingProperties(_FromAttributes):
    """A building, without anybody who lives in it."""

    building_id: int
    households: int


Faces = FeatureCollection[FaceProperties]
Edges = FeatureCollection[EdgeProperties]
SnapLines = FeatureCollection[SnapProperties]
Buildings = FeatureCollection[BuildingProperties]


class DraftFaces(FeatureCollection[FaceProperties]):
    """Base grids as drafted, and the keys of those that the draft ends."""

    retired: list[str]


class LoadAnswer(_FromAttributes):
    """A grid's burden; load in households."""

    households: int
    people: int
    care_households: int
    premises: int
    hazards: int
    incidents_month: float
    patrol_km: float
    load: float
    target: tuple[int, int] | None
    deviation: float


class GridChangeAnswer(_FromAttributes):
    """A grid before and after an edit."""

    key: str
    name: str
    code: str
    village: str
    parent: str
    is_new: bool
    before: LoadAnswer | None
    now: LoadAnswer
    target: tuple[int, int] | None
    deviation: float


class FindingAnswer(_FromAttributes):
    """A broken rule, with an id by which a reason is given."""

    id: str
    rule: str
    severity: Literal["error", "warning"]
    keys: list[str]
    text: str
    place: Geometry | None


class ChangeAnswer(_FromAttributes):
    """What an edit does."""

    rev: int
    edit: dict[str, Any]
    grids: list[GridChangeAnswer]
    faces: Faces
    retired: list[str]
    edges: Edges
    moved_area_m2: float
    violations: list[FindingAnswer]


class BeforeAnswer(_FromAttributes):
    """What was wrong before the plan and stays so."""

    rule: str
    n: int
    text: str
    place: Geometry | None


class ChecksAnswer(_FromAttributes):
    """What the checks say of a whole draft."""

    errors: int
    warnings: int
    findings: list[FindingAnswer]
    information: list[BeforeAnswer]


class NamedGrid(_FromAttributes):
    """A grid by its key."""

    key: str
    name: str


class Flow(_FromAttributes):
    """Households that go from grid to grid."""

    from_: str = Field(alias="from")
    from_name: str
    to: str
    to_name: str
    households: int


class GridsChanged(_FromAttributes):
    """How many grids keep on with other land, which are new and which are gone."""

    changed: int
    created: list[NamedGrid]
    retired: list[NamedGrid]


class ImpactAnswer(_FromAttributes):
    """What publication would move."""

    on: date
    earliest_day: date
    possible: bool
    moved: dict[str, int]
    households: list[Flow]
    grids: GridsChanged
    officers_to_appoint: list[NamedGrid]


class OfficerCosts(_FromAttributes):
    """A grid whose officer gains or loses households."""

    grid: str
    name: str
    officer: bool
    gains: int
    loses: int


class CostsAnswer(_FromAttributes):
    """What an answer costs; ``inside`` of ``of`` grids are inside the size rule."""

    grids_changed: int
    households_moved: int
    people_moved: int
    officers: list[OfficerCosts]
    buildings_cut: int
    along_streets: float | None
    border_m: float
    new_border_m: float
    inside: int
    of: int
    compactness: float


class BoundsAnswer(_FromAttributes):
    """What no answer with all grids inside the rule can be below; None where nothing is proven."""

    moves: int
    border_m: float | None


class ToldAnswer(_FromAttributes):
    """What cannot be met, or was done otherwise, and where."""

    text: str
    place: Geometry | None


class ScopeAnswer(_FromAttributes):
    """What was asked about."""

    grid: str | None = None
    village: str | None = None
    town: str | None = None
    county: bool | None = None
    pieces: int | None = None


class ProposedFace(_FromAttributes):
    """A changed grid as it is proposed."""

    key: str
    name: str
    households: int
    is_new: bool
    changed: bool
    inside: bool


class ProposedAnswer(_FromAttributes):
    """One way to draw grids anew, with the edit that does it."""

    name: Literal["least_change", "balance", "shape", "refined"]
    costs: CostsAnswer
    faces: FeatureCollection[ProposedFace]
    edit: dict[str, Any]


class ProposalAnswer(_FromAttributes):
    """Answers side by side, with today's figures and the least possible."""

    proposal_id: int | None
    scope: ScopeAnswer
    today: CostsAnswer
    bounds: BoundsAnswer
    told: list[ToldAnswer]
    answers: list[ProposedAnswer]


class ProposalAccepted(_FromAttributes):
    """The job that works out a proposal for a town or the county."""

    job_id: int


class PublishedAnswer(_FromAttributes):
    """The version that a plan has become, and what was moved."""

    plan_id: int
    version_id: int
    effective_day: date
    grid_ids: dict[str, int]
    changed: int
    retired: int
    moved: dict[str, int]
    officers_to_appoint: list[NamedGrid]


class WithdrawnAnswer(_FromAttributes):
    """The version that takes another one back."""

    version_id: int
    effective_day: date
    changed: int
    retired: int
    moved: dict[str, int]
    reopened_duties: int


class VersionListed(_FromAttributes):
    """A version in a list; what was said and decided is for readers of plans."""

    version_id: int
    effective_day: date
    published_at: datetime
    published_by: Person
    title: str
    reason: str
    counts: dict[str, Any]
    plan_id: int | None
    reviews: list[ReviewAnswer]
    withdraws: int | None
    withdrawn_by: int | None
    earliest_day: date


class VersionDay(_FromAttributes):
    """A version and when it began."""

    version_id: int
    effective_day: date


class ChangedGridAnswer(_FromAttributes):
    """A grid that is another one in the second version."""

    key: str
    what: str
    rank: int
    name: str
    code: str
    parent: str | None
    name_before: str | None
    code_before: str | None


class HouseholdsMovedAnswer(_FromAttributes):
    """Households and people that lie in another grid."""

    from_: str | None = Field(alias="from")
    from_name: str
    from_code: str
    to: str | None
    to_name: str
    to_code: str
    households: int
    people: int


class VersionComparisonAnswer(_FromAttributes):
    """Two versions side by side."""

    a: VersionDay
    b: VersionDay
    grids: list[ChangedGridAnswer]
    households_moved: int
    moved: list[HouseholdsMovedAnswer]
    faces: FeatureCollection[ChangedGridAnswer]
