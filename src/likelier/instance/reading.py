"""Reads an instance file; what does not fit is named by its key and line, with what to write instead."""

from __future__ import annotations

import json
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from likelier.conditions.values import describe
from likelier.documents import Document, read_document, show_path
from likelier.documents import Path as KeyPath
from likelier.errors import InstanceError, UsageError, did_you_mean, nearest
from likelier.instance.parts import MOST_WINDOWS, Instance
from likelier.phrases import join, say

Problem = tuple[KeyPath, str]


def load_instance(path: Path | str) -> Instance:
    """Read an instance file."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InstanceError(say("There is no file {path}.", path=path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InstanceError(
            say("{path} cannot be read as a text file: {error}.", path=path, error=str(error))
        ) from None
    return parse_instance(text, str(path))


def parse_instance(text: str, source: str = "instance") -> Instance:
    """Read an instance from its YAML.

    >>> parse_instance("name: Buy again")
    Traceback (most recent call last):
    likelier.errors.InstanceError: instance has 4 faults:
      line 1: propensity_type is missing. Write conversion (the goal is good news) or churn (it is bad news), such as \
`propensity_type: conversion`.
      line 1: datasets is missing. Write a list of datasets, such as `datasets: [retail]`.
      line 1: namespace is missing. Write the identity to score, such as `namespace: CRMID`.
      line 1: goal is missing. Write the keys events and window_days, indented, such as \
`goal: {events: ..., window_days: 30}`.
    """
    try:
        document = read_document(text, source)
    except UsageError as error:
        raise InstanceError(str(error)) from None
    return _made(document.value, source, document)


def make_instance(keys: Mapping[str, Any], source: str = "instance") -> Instance:
    """Make an instance of keys that are already values, as they come over an API or from :meth:`Instance.dump`."""
    return _made(keys, source, None)


def refuse(problems: Iterable[Problem], source: str, document: Document | None = None) -> InstanceError:
    """Make one error of all the problems, in the order of the file."""
    found = sorted(problems, key=lambda problem: document.line(problem[0]) if document else 0)
    told = [join([f"line {document.line(path)}: ", text], "") if document else text for path, text in found]
    pairs = [(show_path(path), text) for path, text in found]
    if len(told) == 1:
        return InstanceError(join([source, told[0]], ", " if document else ": "), pairs)
    faults = say("{source} has {count} faults:", source=source, count=len(told))
    return InstanceError(join([faults, *told], "\n  "), pairs)


def _made(keys: Any, source: str, document: Document | None) -> Instance:
    if not isinstance(keys, dict):
        found = say("it is empty") if keys is None else describe(keys)
        raise InstanceError(
            say(
                "{source} holds no instance: {found}. It begins with a key, such as `name: Buy again`.",
                source=source,
                found=found,
            )
        )
    try:
        return Instance.model_validate(keys)
    except ValidationError as error:
        raise refuse(_problems(error.errors()), source, document) from None


def _problems(errors: list[ErrorDetails]) -> Iterator[Problem]:
    misspelt = {
        (*error["loc"][:-1], *nearest(str(error["loc"][-1]), _keys(error["loc"][:-1]), count=1))
        for error in errors
        if error["type"] == "extra_forbidden"
    }
    for error in errors:
        if not (_is_echo(error) or (error["type"] == "missing" and error["loc"] in misspelt)):
            yield _problem(error)


def _is_echo(error: ErrorDetails) -> bool:
    # A list counts as too short for pydantic when its only element has a fault, which is told by itself.
    return error["type"] == "too_short" and bool(error["input"])


def _problem(error: ErrorDetails) -> Problem:
    path = error["loc"]
    if error["type"] == "condition":
        path = (*path, error["ctx"]["key"])
        return path, at_path(show_path(path), error["ctx"]["said"])
    return path, _SAID.get(error["type"], _unfit)(show_path(path), error)


def _unknown(path: str, error: ErrorDetails) -> str:
    *parent, key = error["loc"]
    near = did_you_mean(str(key), _keys(tuple(parent)))
    return at_path(path, say("there is no key '{key}' here.", key=key), near)


def _missing(path: str, error: ErrorDetails) -> str:
    return say("{path} is missing. {hint}", path=path, hint=_write(error))


def _not_listed(path: str, error: ErrorDetails) -> str:
    known = _choices(_field(error["loc"]))
    if not isinstance(error["input"], str):
        return _unfit(path, error)
    near = did_you_mean(error["input"], known)
    return at_path(path, say("'{found}' is not known.", found=error["input"]), near)


def _empty(path: str, error: ErrorDetails) -> str:
    return say("{path} is empty. {hint}", path=path, hint=_write(error))


def _out_of_range(path: str, error: ErrorDetails) -> str:
    found = error["input"]
    shown = str(list(found) if isinstance(found, tuple) else found)
    return at_path(path, say("{found} is out of range.", found=shown), _write(error))


def _told(path: str, error: ErrorDetails) -> str:
    return at_path(path, join([error["ctx"]["said"], "."], ""), _write(error))


def _told_of_windows(path: str, error: ErrorDetails) -> str:
    hint = say("Write up to {most}, shortest first, such as `window_days: [7, 30, 90]`.", most=MOST_WINDOWS)
    return at_path(path, join([error["ctx"]["said"], "."], ""), hint)


def _unfit(path: str, error: ErrorDetails) -> str:
    found = say("nothing stands here") if error["input"] is None else describe(error["input"])
    return at_path(path, join([found, "."], ""), _write(error))


def at_path(path: str, *said: str) -> str:
    """Say something of a place of the file."""
    return join([f"{path}:", *(part for part in said if part)])


_SAID: Mapping[str, Callable[[str, ErrorDetails], str]] = {
    "extra_forbidden": _unknown,
    "missing": _missing,
    "literal_error": _not_listed,
    "too_short": _empty,
    "string_too_short": _empty,
    "greater_than_equal": _out_of_range,
    "less_than_equal": _out_of_range,
    "out_of_range": _out_of_range,
    "windows": _told_of_windows,
    "twice": _told,
    "untrimmed": _told,
    "exploratory": _told,
}


# --- what belongs at a place of the file -----------------------------------------------------------------------------


def _write(error: ErrorDetails) -> str:
    field = _field(error["loc"])
    key = next(part for part in reversed(error["loc"]) if isinstance(part, str))
    example = (field.examples or [""])[0]
    shown = example if isinstance(example, str) else json.dumps(example)
    return say("Write {what}, such as `{key}: {shown}`.", what=field.description, key=key, shown=shown)


def _keys(path: KeyPath) -> list[str]:
    return list(_model(path).model_fields)


def _field(path: KeyPath) -> FieldInfo:
    names = [part for part in path if isinstance(part, str)]
    return _model(tuple(names[:-1])).model_fields[names[-1]]


def _model(path: KeyPath) -> type[BaseModel]:
    model: type[BaseModel] = Instance
    for part in path:
        if isinstance(part, str):
            model = next(_models(model.model_fields[part].annotation))
    return model


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from _models(argument)


def _choices(field: FieldInfo) -> list[str]:
    return [choice for choice in typing.get_args(field.annotation) if isinstance(choice, str)]
