"""The instance file's keys: their types, defaults, and what to write there.

Descriptions complete the sentence "Write ..."; the first example stands behind "such as".
"""

from __future__ import annotations

import hashlib
import json
import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic import Field as Key
from pydantic_core import PydanticCustomError

from likelier.conditions.algebra import Operator, check_shape
from likelier.conditions.goals import Match
from likelier.errors import ConditionError
from likelier.phrases import say

Scalar: TypeAlias = str | bool | int | float


def _refused(kind: str, said: str, **more: Any) -> PydanticCustomError:
    """Refuse with a phrase, which pydantic's own messages would forget."""
    return PydanticCustomError(kind, "{said}", {"said": said, **more})


def _scalars(value: Any) -> Any:
    return tuple(map(_scalar, value)) if isinstance(value, list | tuple) else _scalar(value)


def _scalar(value: Any) -> Any:
    if value is not None and not isinstance(value, str | bool | int | float):
        raise _refused("misplaced", say("nothing else fits here"))
    return value if value is None or isinstance(value, str | bool) else _number(value)


def _number(value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refused("misplaced", say("only finite numbers can be compared"))
    return int(number) if number.is_integer() and abs(number) < 2**53 else number  # 3.0 and 3 ask the same


def _distinct(names: tuple[str, ...]) -> tuple[str, ...]:
    for index, name in enumerate(names):
        if name in names[:index]:
            raise _refused("twice", say("'{name}' stands here twice", name=name))
    return names


def _named_apart(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    _distinct(tuple(part.name for part in parts))
    return parts


def _trimmed(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise _refused("untrimmed", say("it begins or ends with a space, or holds a line break"))
    return text


def _windows(value: Any) -> Any:
    """Check one window, or several: a list of one is that window."""
    several = value if isinstance(value, list | tuple) else [value]
    if any(isinstance(days, bool) or not isinstance(days, int) for days in several):
        kind = "misplaced" if len(several) == 1 else "windows"
        raise _refused(kind, say("only whole numbers of days fit here"))
    if any(not 1 <= days <= MOST_DAYS for days in several):
        raise _refused("out_of_range", say("a window is shorter or longer than that"))
    if not 1 <= len(several) <= MOST_WINDOWS:
        raise _refused("windows", say("{n} windows are not from 1 to {most}", n=len(several), most=MOST_WINDOWS))
    if any(later <= earlier for earlier, later in pairwise(several)):
        raise _refused("windows", say("each window must be longer than the one before it"))
    return int(several[0]) if len(several) == 1 else tuple(several)


Name = Annotated[str, StringConstraints(min_length=1, max_length=200), AfterValidator(_trimmed)]
MOST_DAYS = 365
MOST_WINDOWS = 5
Days = Annotated[int, Key(ge=1, le=MOST_DAYS)]
Windows = Annotated[Days | tuple[Days, ...], BeforeValidator(_windows)]


class Part(BaseModel):
    """A part of the file: frozen, strict about types, and knowing all its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ConditionPart(Part):
    """One condition on one field."""

    field: Name = Key(description=say("the path of a field"), examples=["commerce.purchases.value"])
    operator: Operator = Key(description=say("an operator"), examples=["exists"])
    value: Annotated[Scalar | tuple[Scalar, ...] | None, BeforeValidator(_scalars)] = Key(
        default=None, description=say("a text, a number, true or false, or a list of those"), examples=["home"]
    )
    ignore_case: bool = Key(default=False, description=say("true or false"), examples=[True])

    @model_validator(mode="after")
    def _shape(self) -> Self:
        try:
            check_shape(self.operator, self.value, ignore_case=self.ignore_case)
        except ConditionError as error:
            raise _refused("condition", str(error), key=error.key) from None
        return self


Conditions = Annotated[
    tuple[ConditionPart, ...],
    Key(
        strict=False,
        min_length=1,
        description=say("a list of conditions that hold on one event"),
        examples=["[{field: commerce.purchases.value, operator: exists}]"],
    ),
]
ConditionMatch = Annotated[
    Match, Key(description=say("all or any: how many of the conditions hold on the event"), examples=["all"])
]
EventMatch = Annotated[
    Match, Key(description=say("all or any: how many of the events are asked for"), examples=["all"])
]
EVENT_EXAMPLE = "[{conditions: [{field: commerce.purchases.value, operator: exists}]}]"


class EventPart(Part):
    """Events that satisfy conditions, so many of them."""

    name: Name | None = Key(default=None, description=say("a name for the event"), examples=["purchase"])
    match: ConditionMatch = "all"
    at_least: int = Key(default=1, ge=1, le=1000, description=say("how many such events, from 1 to 1000"), examples=[1])
    conditions: Conditions


class CustomEventPart(Part):
    """Events that matter for the question, under a name that the factors show."""

    name: Name = Key(description=say("the name that factors show"), examples=["Watch purchase"])
    match: ConditionMatch = "all"
    conditions: Conditions


class ExclusionPart(Part):
    """Events that are not looked at."""

    name: Name | None = Key(default=None, description=say("a name for the events"), examples=["internal traffic"])
    match: ConditionMatch = "all"
    conditions: Conditions


class GoalPart(Part):
    """What people will, or will not, do within the outcome window."""

    occurs: bool = Key(default=True, description=say("true (will occur) or false (will not occur)"), examples=[True])
    match: EventMatch = "all"
    events: tuple[EventPart, ...] = Key(
        strict=False, min_length=1, description=say("a list of events"), examples=[EVENT_EXAMPLE]
    )
    window_days: Windows = Key(description=say("a whole number of days from 1 to 365"), examples=[30])

    @property
    def windows(self) -> tuple[int, ...]:
        """The outcome windows in days, shortest first."""
        return self.window_days if isinstance(self.window_days, tuple) else (self.window_days,)

    @property
    def outcome_days(self) -> int:
        """The main outcome window, which score and reasons are about: the longest."""
        return self.windows[-1]


class PopulationPart(Part):
    """Who is scored: without events, everybody with any activity in the lookback window."""

    lookback_days: Days = Key(default=45, description=say("a whole number of days from 1 to 365"), examples=[45])
    match: EventMatch = "all"
    events: tuple[EventPart, ...] = Key(
        default=(), strict=False, description=say("a list of events"), examples=[EVENT_EXAMPLE]
    )
    exclude: tuple[EventPart, ...] = Key(
        default=(),
        strict=False,
        description=say("a list of events that make a person ineligible"),
        examples=[EVENT_EXAMPLE],
    )
    consent: ConditionPart | None = Key(
        default=None,
        description=say("a condition on an attribute of a profiles dataset"),
        examples=["{field: consents.marketing, operator: equals, value: y}"],
    )


class AttributePart(Part):
    """A profile attribute to learn from; without a name it goes by its field."""

    name: Name | None = Key(default=None, description=say("the name that factors show"), examples=["Age"])
    field: Name = Key(description=say("the path of a field of a profiles dataset"), examples=["person.age"])


class Instance(Part):
    """A question about people's future, asked again and again."""

    name: Name = Key(description=say("a name"), examples=["Buy again"])
    description: str = Key(default="", description=say("a text"), examples=["Purchase in the next 90 days"])
    propensity_type: Literal["conversion", "churn"] = Key(
        description=say("conversion (the goal is good news) or churn (it is bad news)"), examples=["conversion"]
    )
    datasets: Annotated[tuple[Name, ...], AfterValidator(_distinct)] = Key(
        strict=False, min_length=1, description=say("a list of datasets"), examples=["[retail]"]
    )
    namespace: Name = Key(description=say("the identity to score"), examples=["CRMID"])
    stitch: bool = Key(
        default=False,
        description=say("true or false: whether ids that were seen together count as one person"),
        examples=[True],
    )
    goal: GoalPart = Key(
        description=say("the keys events and window_days, indented"), examples=["{events: ..., window_days: 30}"]
    )
    eligible_population: PopulationPart = Key(
        default=PopulationPart(),
        description=say("the keys lookback_days, events and exclude, indented"),
        examples=["{lookback_days: 45}"],
    )
    custom_events: Annotated[tuple[CustomEventPart, ...], AfterValidator(_named_apart)] = Key(
        default=(),
        strict=False,
        description=say("a list of named events"),
        examples=["[{name: Watch purchase, conditions: [...]}]"],
    )
    profile_attributes: tuple[AttributePart, ...] = Key(
        default=(), strict=False, description=say("a list of attributes"), examples=["[{name: Age, field: person.age}]"]
    )
    exclusions: tuple[ExclusionPart, ...] = Key(
        default=(),
        strict=False,
        description=say("a list of events that are not looked at"),
        examples=["[{conditions: [...]}]"],
    )
    ignored_fields: Annotated[tuple[Name, ...], AfterValidator(_distinct)] = Key(
        default=(),
        strict=False,
        description=say("a list of event fields that nothing is learnt from"),
        examples=["[commerce.order.status]"],
    )
    trusted: Annotated[tuple[Name, ...], AfterValidator(_distinct)] = Key(
        default=(),
        strict=False,
        description=say("a list of fields or events that were truly known at their time"),
        examples=["[subscription.endDate]"],
    )
    exploratory: bool = Key(
        default=False,
        description=say("true or false: whether to go on with less than 500 who met the goal, to look only"),
        examples=[True],
    )
    schedule: Literal["weekly", "monthly", "none"] = Key(
        default="none", description=say("weekly, monthly or none"), examples=["weekly"]
    )
    profile_enabled: bool = Key(
        default=True, description=say("true or false: whether scores go to the profiles"), examples=[True]
    )

    @model_validator(mode="before")
    @classmethod
    def _only_to_look_at(cls, given: Any) -> Any:
        """Keep exploratory scores off the profiles without being told."""
        if isinstance(given, dict) and given.get("exploratory") is True:
            return {"profile_enabled": False} | given
        return given

    @field_validator("profile_enabled")
    @classmethod
    def _never_exploratory(cls, value: bool, info: ValidationInfo) -> bool:  # noqa: FBT001 - pydantic's
        if value and info.data.get("exploratory"):
            raise _refused("exploratory", say("exploratory scores never go to the profiles"))
        return value

    def dump(self) -> dict[str, Any]:
        """Give the file's keys as plain values, defaults included; it parses back to the same instance."""
        return self.model_dump(mode="json", exclude_none=True)

    @property
    def definition_hash(self) -> str:
        """Identify what is asked: the same for two files that can only give the same scores.

        Name, description, schedule and profile toggle are not part of it, nor is a default that is written out.
        """
        asked = self.model_dump(mode="json", exclude_defaults=True, exclude=_NOT_ASKED)
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


_NOT_ASKED = {"name", "description", "schedule", "profile_enabled"}
