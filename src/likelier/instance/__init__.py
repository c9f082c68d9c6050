"""What a person configures, and the question it asks of its datasets.

:func:`load_instance` reads the file and checks its form; :func:`ask` binds it to datasets and checks every field,
operator and value against them. Both name each key at fault, what was found there, and what to write instead.
"""

from likelier.instance.parts import (
    AttributePart,
    ConditionPart,
    CustomEventPart,
    EventPart,
    ExclusionPart,
    GoalPart,
    Instance,
    PopulationPart,
)
from likelier.instance.question import Attribute, Question, ask, merged_fields
from likelier.instance.reading import load_instance, make_instance, parse_instance

__all__ = [
    "Attribute",
    "AttributePart",
    "ConditionPart",
    "CustomEventPart",
    "EventPart",
    "ExclusionPart",
    "GoalPart",
    "Instance",
    "PopulationPart",
    "Question",
    "ask",
    "load_instance",
    "make_instance",
    "merged_fields",
    "parse_instance",
]
