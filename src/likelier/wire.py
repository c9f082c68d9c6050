"""What goes over the wire: the answers of the REST API, as its OpenAPI document shows them and the client gives them.

An answer may grow: whoever reads one leaves alone what it does not know.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StrictBool

Item = TypeVar("Item")


class Answer(BaseModel):
    """What all answers have in common."""

    model_config = ConfigDict(extra="allow")


class Problem(Answer):
    """Why something could not be done (RFC 9457).

    `code` is that of a run outcome (400-414) where there is one; `faults` says where a request does not fit.
    """

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Not found",
                    "status": 404,
                    "detail": "There is no instance 'By again'. Did you mean 'Buy again'?",
                    "request": "9f86d081884c7d65",
                }
            ]
        },
    )

    type: str
    title: str
    status: int
    detail: str
    request: str | None = Field(None, description="The request's id, as in the header X-Request-Id.")
    code: int | None = None
    suggestions: list[str] | None = None
    faults: list[Fault] | None = None


class Fault(Answer):
    """A part of a request that does not fit."""

    at: str
    message: str


class Page(Answer, Generic[Item]):
    """A part of a list; `next` is what to pass as `after` for the following part, null at the end."""

    items: list[Item]
    next: str | None = None


# ---- datasets ------------------------------------------------------------------------------------------------------


class Dataset(Answer):
    """A dataset at a glance."""

    name: str = Field(examples=["shop"])
    kind: Literal["events", "profiles"]
    rows: int
    first: dt.datetime | None = Field(description="The moment of the oldest row.")
    last: dt.datetime | None
    namespaces: list[str] = Field(examples=[["CRMID"]])


class DatasetField(Answer):
    """A field; `complete` is the share of rows that have a value, of events those of the last year."""

    path: str = Field(examples=["commerce.purchases.value"])
    type: Literal["text", "number", "flag", "moment"]
    array: bool
    complete: float


class DatasetIdentity(Answer):
    """A namespace, how many people it tells apart, and the share of rows that have an id of it."""

    namespace: str
    profiles: int
    estimated: bool = Field(description="Whether that number is an estimate, as it is where there are many rows.")
    complete: float


class DatasetBatch(Answer):
    """Rows that came at once."""

    batch: str
    at: dt.datetime
    rows: int


class DatasetDescription(Answer):
    """What is in a dataset."""

    name: str
    kind: Literal["events", "profiles"]
    version: int
    rows: int
    first: dt.datetime | None
    last: dt.datetime | None
    fields: list[DatasetField]
    identities: list[DatasetIdentity]
    preview: list[dict[str, Any]]
    batches: list[DatasetBatch] = Field(description="The newest hundred, newest first.")
    rejected: int
    rejects: list[dict[str, Any]]


class Ingested(Answer):
    """What became of the events that were sent; `batch` is null when none of them changed anything."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={"examples": [{"accepted": 98, "duplicate": 2, "rejected": 0, "batch": "stream#17"}]},
    )

    accepted: int
    duplicate: int
    rejected: int
    batch: str | None


# ---- instances and runs --------------------------------------------------------------------------------------------

RunState = Literal["queued", "running", "success", "training_issue", "failed", "cancelled"]


class RunFailure(Answer):
    """Why a run gave no scores; `code` is 400-414 where there is one."""

    code: int | None
    title: str
    message: str
    suggestions: list[str]


class Run(Answer):
    """A run as a line of the history."""

    id: str
    instance: str = Field(description="The instance's name.")
    state: RunState
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    scored: int | None
    auc: float | None
    error: RunFailure | None
    decision: str | None = Field(default=None, description="Which model it used, and why.")


class Plan(Answer):
    """Which model a run was to use: `run` made it (None: a new one), and `used` made the one it came to use."""

    run: str | None
    because: str
    used: str


class Progress(Answer):
    """How far a run is: its stage, the fraction of that, the rows gone through."""

    stage: str
    fraction: float
    rows: int


class RunDetails(Run):
    """Everything recorded of a run."""

    instance_id: str
    version: int
    as_of: dt.datetime | None
    seed: int
    data_versions: dict[str, int]
    model: Plan | None = None
    queued_at: dt.datetime
    started_by: str
    progress: Progress | None
    stages: dict[str, dict[str, Any]]
    timings: dict[str, float]


class Instance(Answer):
    """An instance with its latest run; beside these, the keys of its file."""

    id: str
    name: str = Field(examples=["Buy again"])
    description: str
    status: Literal["draft", "enabled", "disabled"]
    schedule: str = Field(examples=["weekly"])
    revision: int = Field(description="Counts the edits; it is the ETag.")
    last_run: Run | None
    published_run: Run | None
    scored_this_year: int


class Check(Answer):
    """What a run would find, and whether it can go ahead."""

    as_of: dt.datetime
    goal_words: str
    population_words: str
    warnings: list[Any]
    events: int | None = None
    profiles: int | None = None
    windows: dict[str, Any] | None = None
    counts: Any = None
    gaps: Any = None
    problem: dict[str, Any] | None = None


class Insights(Answer):
    """What a run learnt: the document that the report shows."""

    run: Run
    insights: dict[str, Any]


class Performance(Answer):
    """Whether it came true: expected against actual of each run, oldest first."""

    id: str
    instance: str
    propensity_type: str | None
    goal_deed: str | None
    known_until: dt.datetime | None
    runs: list[dict[str, Any]]


# ---- alerts --------------------------------------------------------------------------------------------------------


class Alert(Answer):
    """What was noticed of an instance, and whether somebody was told."""

    id: str
    kind: Literal["failed run", "poor model", "drift", "missed schedule", "disagreement"]
    instance: str
    instance_id: str
    run: str | None
    words: str = Field(examples=["402 BAD MODEL: AUC 0.55."])
    noticed_at: dt.datetime
    over_at: dt.datetime | None = Field(description="When it was over; null while it lasts.")
    state: str = Field(description="Whether somebody was told, in words.", examples=["told by webhook and e-mail"])
    sent: dict[str, dt.datetime] = Field(description="When each channel took it.")


# ---- people --------------------------------------------------------------------------------------------------------


class Factor(Answer):
    """A part of a prediction, in log-odds."""

    code: str
    value: str | None
    importance: str
    contribution: float


class Score(Answer):
    """A person's score in one instance, with the strongest reasons first."""

    instance: str
    instance_id: str
    run: str
    namespace: str
    id: str
    score: float
    probability: float
    percentile: int
    bucket: Literal["low", "medium", "high"]
    propensity_type: Literal["conversion", "churn"]
    score_date: dt.datetime
    base_log_odds: float
    factors: list[Factor]


class SegmentName(Answer):
    id: str
    name: str


class FreshScore(Answer):
    """A person's score as of now, by the model of the instance's latest run."""

    instance: str
    instance_id: str
    run: str
    as_of: dt.datetime
    eligible: bool = Field(description="Whether a run at this instant would score the person.")
    population: str
    compared_with: str = Field(description="The people whom score and percentile are relative to.")
    score: Score | None


class Identity(Answer):
    namespace: str
    id: str


class Cut(BaseModel):
    """A link that is wrong or, with `cut: false`, is not."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"a": {"namespace": "ECID", "id": "7f1a"}, "b": {"namespace": "CRMID", "id": "c17"}, "cut": True}
            ]
        },
    )

    a: Identity
    b: Identity
    cut: StrictBool = True


class Link(Answer):
    """Two ids that were seen together, and whether that makes them one person."""

    a: Identity
    b: Identity
    first: dt.datetime
    last: dt.datetime
    rows: int
    counts: bool
    cut: bool


class Links(Answer):
    """Which ids are one person with an id; `hubs` have more than `most_linked` neighbours and join nobody."""

    namespace: str
    id: str
    ids: list[Identity]
    links: list[Link]
    hubs: list[dict[str, Any]]
    most_linked: int


class Profile(Answer):
    """What is known of a person."""

    namespace: str
    id: str
    identities: list[dict[str, Any]]
    attributes: list[dict[str, Any]]
    activity: list[dict[str, Any]]
    scores: list[Score]
    segments: list[SegmentName]
    events: list[dict[str, Any]]
    fresh: FreshScore | None = None


class PersonalData(Answer):
    """All that is known of a person."""

    namespace: str
    id: str
    as_of: dt.datetime
    ids: list[dict[str, str]]
    shared_ids: list[dict[str, str]] = Field(description="Ids beside theirs that others have as well; left alone.")
    events: list[dict[str, Any]]
    attributes: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    segments: list[dict[str, Any]]
    hold_outs: list[dict[str, Any]]
    set_aside: list[dict[str, Any]]
    cut_links: list[list[Identity]]


class Erasure(Answer):
    """What was deleted of a person, without their ids."""

    erasure: str
    namespace: str
    ids: int
    shared_ids: int
    deleted: dict[str, int] = Field(examples=[{"events": 12, "scores": 3}])
    left: list[dict[str, Any]] = Field(description="Where in the store somebody wrote one of the ids.")


class Wish(BaseModel):
    """What is to be delivered where: once or, with a name, after each run that changes it as well."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"name": "crm", "segment": "Likely buyers", "to": "https://crm.example.com/hook"}],
        },
    )

    name: str | None = Field(None, max_length=200)
    segment: str | None = Field(None, description="The members of this segment, or else")
    instance: str | None = Field(None, description="the latest scores of this instance.")
    to: str = Field(
        description="A file's name, an object store's URL, postgresql://... or https://...; ${EXPORT_...} stands for a "
        "variable of the server.",
    )
    table: str | None = Field(None, description="The table of a PostgreSQL database.")
    mode: Literal["replace", "upsert"] = "replace"


class Export(Answer):
    """What is delivered after each run that changes it."""

    id: str
    name: str
    segment_id: str | None
    instance_id: str | None
    to: str
    created_at: dt.datetime
    created_by: str


class Delivery(Answer):
    """One attempt; those with the same key deliver the same rows to the same place."""

    id: str
    key: str
    export: str
    what: str
    destination: str
    state: Literal["under way", "delivered", "failed"]
    started_at: dt.datetime
    started_by: str
    finished_at: dt.datetime | None
    rows: int | None
    error: str | None


class Segment(Answer):
    """A rule that says who belongs, and how many did when it was last evaluated."""

    id: str
    name: str = Field(examples=["Likely buyers"])
    size: int | None
    description: str
    namespace: str
    text: str = Field(examples=['score of "Buy again" >= 75'])
    words: str
    as_of: dt.datetime | None
    evaluated_at: dt.datetime | None
    created_at: dt.datetime
    created_by: str
    updated_at: dt.datetime
    revision: str = Field(description="Changes with every edit; it is the ETag.")


class SegmentCount(Answer):
    at: dt.datetime
    as_of: dt.datetime
    size: int


class SegmentDetails(Segment):
    """A segment as it is now, with its sizes over time, newest first."""

    counts: list[SegmentCount]


class SegmentEstimate(Answer):
    """How many would belong."""

    size: int
    namespace: str
    text: str
    words: str


class Member(Answer):
    namespace: str
    id: str


class OverlapSide(Answer):
    """A segment, and how many of its members do not belong to the other one."""

    name: str
    size: int
    alone: int


class Overlap(Answer):
    """How many belong to both of two segments."""

    first: OverlapSide
    second: OverlapSide
    both: int
    either: int
    share_of_first: float | None
    share_of_second: float | None


class Difference(Answer):
    """Something of which members have another share, mean or count than others."""

    what: str
    kind: str = Field(examples=["share"])
    members: float | None
    others: float | None
    effect: float | None = Field(description="The difference in standard deviations; null where it has no bound.")


class Differences(Answer):
    """What sets the members of a segment apart."""

    segment: str
    members: int
    others: int
    differences: list[Difference]


class HoldOutSide(Answer):
    """The treated, or those kept back, and between what the rate of their outcomes lies in 95 of 100 cases."""

    people: int
    outcomes: int
    rate: float | None
    low: float | None
    high: float | None


class HoldOutEffect(Answer):
    """The difference of the two rates with its 95 % interval, and what it would take to see one."""

    difference: float
    low: float
    high: float
    sure: bool = Field(description="Whether chance alone is an unlikely explanation.")
    people_needed: int | None
    smallest_visible: float | None


class HoldOutReport(Answer):
    """What acting on a segment did; the effect is null until the outcome window is over."""

    segment: str
    percent: float
    outcome: str
    window_days: int
    started: dt.datetime
    ends: dt.datetime
    complete: bool
    treated: HoldOutSide
    kept_back: HoldOutSide
    effect: HoldOutEffect | None
    words: list[str]


# ---- access --------------------------------------------------------------------------------------------------------


class AuditEntry(Answer):
    """Who did what to which object, when, from where, and what it changed."""

    id: int
    at: dt.datetime
    actor: str
    address: str | None
    action: str = Field(examples=["instance.edit"])
    object_type: str
    object_id: str
    object_name: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


class User(Answer):
    """A person who signs in."""

    id: str
    name: str
    role: Literal["view", "manage", "audit", "admin"]
    signs_in_with: Literal["a password", "the identity provider"]
    created_at: dt.datetime
    created_by: str
    disabled_at: dt.datetime | None = Field(description="When the user was shut out.")


class Token(Answer):
    """A program's right to act; its secret was shown once."""

    id: str
    name: str
    role: Literal["view", "manage", "audit", "admin"]
    created_at: dt.datetime
    created_by: str
    expires_at: dt.datetime | None
    revoked_at: dt.datetime | None


class NewToken(Answer):
    """A new token with its secret, which nobody can ask for again."""

    id: str
    token: str


Problem.model_rebuild()
