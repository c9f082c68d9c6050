"""Conditions put together by hand: a field of the data, an operator that fits it, a value.

What is built is the plain document of an instance file, edited in place; incomplete conditions stay in it while they
are being written and are left out by :func:`complete`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

from nicegui import ui
from nicegui.element import Element

from likelier.conditions.algebra import operators_for, takes
from likelier.datasets import Field, FieldType
from likelier.ui.language import _
from likelier.ui.parts import action, block, card, text, tool

Document = dict[str, Any]
Suggest = Callable[[str], Awaitable[list[str]]]


def operator_words() -> dict[str, str]:
    """Each operator as a person reads it."""
    return {
        "exists": _("is there"),
        "not_exists": _("is not there"),
        "equals": _("is"),
        "not_equals": _("is not"),
        "greater_than": _("is greater than"),
        "greater_or_equal": _("is at least"),
        "less_than": _("is less than"),
        "less_or_equal": _("is at most"),
        "starts_with": _("starts with"),
        "not_starts_with": _("does not start with"),
        "ends_with": _("ends with"),
        "not_ends_with": _("does not end with"),
        "contains": _("contains"),
        "not_contains": _("does not contain"),
        "in": _("is one of"),
        "not_in": _("is none of"),
        "matches": _("matches the pattern"),
    }


def new_event(**given: Any) -> Document:
    return {"match": "all", "conditions": [{}], **given}


def complete(events: list[Document]) -> list[Document]:
    """Leave out what is not written to its end.

    >>> complete([{"match": "all", "conditions": [{}, {"field": "eventType", "operator": "exists"}]}, new_event()])
    [{'match': 'all', 'conditions': [{'field': 'eventType', 'operator': 'exists'}]}]
    """
    found = []
    for event in events:
        conditions = [plain(each) for each in event["conditions"] if is_complete(each)]
        if conditions:
            said = {key: value for key, value in event.items() if value not in (None, "")}
            found.append({**said, "conditions": conditions})
    return found


def is_complete(condition: Mapping[str, Any]) -> bool:
    if not condition.get("field") or not condition.get("operator"):
        return False
    return takes(condition["operator"]) == "nothing" or condition.get("value") not in (None, "", [])


def plain(condition: Mapping[str, Any]) -> Document:
    kept = {key: value for key, value in condition.items() if value is not None}
    if takes(kept["operator"]) == "nothing":
        kept.pop("value", None)
        kept.pop("ignore_case", None)
    return {key: value for key, value in kept.items() if key != "ignore_case" or value}


class Builder:
    """Editors for events over some fields; `changed` hears of every change."""

    def __init__(
        self,
        fields: Mapping[str, Field],
        changed: Callable[[], None],
        suggest: Suggest,
        names: Mapping[str, str] | None = None,
        label: str = "",
    ) -> None:
        self._fields, self._changed, self._suggest, self._names = fields, changed, suggest, names or {}
        self._label = label or _("Field")

    def events(self, events: list[Document], *, add: str, named: bool = False, counted: bool = True) -> None:
        """Edit a list of events; `named` ones must have a name, `counted` ones may be asked for several times."""
        place = block("div", "stack")

        def draw() -> None:
            place.clear()
            with place:
                for event in events:
                    self._event(event, partial(remove, event), named=named, counted=counted)
                action(add, append, "add", kind="quiet").classes("start")

        def append() -> None:
            events.append(new_event(name="") if named else new_event())
            draw()
            self._changed()

        def remove(event: Document) -> None:
            # By identity: two events may say the same while they are written.
            events[:] = [each for each in events if each is not event]
            draw()
            self._changed()

        draw()

    def _event(self, event: Document, remove: Callable[[], None], *, named: bool, counted: bool) -> None:
        with card("event", tag="div"):
            with block("div", "row event-head"):
                name = ui.input(_("Name") if named else _("Name (if you like)")).props("outlined dense")
                name.bind_value(event, "name").classes("grow").on_value_change(self._changed)
                if counted:
                    times = ui.number(
                        _("At least so often"), value=event.get("at_least", 1), min=1, max=1000, precision=0
                    )
                    times.props("outlined dense").classes("narrow")
                    times.on_value_change(lambda change: self._set(event, "at_least", int(change.value or 1)))
                tool("delete", _("Take this event out"), remove)
            self.conditions(event)

    def conditions(self, event: Document) -> None:
        """Edit the conditions of one event."""
        place = block("div", "stack tight")
        conditions: list[Document] = event["conditions"]

        def draw() -> None:
            place.clear()
            with place:
                for number, condition in enumerate(conditions):
                    if number == 1:
                        both = {"all": _("and, on the same event"), "any": _("or")}
                        match = ui.select(both, value=event.get("match", "all")).props("outlined dense options-dense")
                        match.classes("joint").props["aria-label"] = _("How the conditions go together")
                        match.on_value_change(lambda change: join(change.value))
                    elif number > 1:
                        text(_("and") if event.get("match", "all") == "all" else _("or"), "span", "soft joint")
                    self.condition(condition, partial(remove, condition) if len(conditions) > 1 else None)
                action(_("Another condition"), append, "add", kind="quiet").classes("start")

        def join(how: str) -> None:
            self._set(event, "match", how)
            draw()

        def append() -> None:
            conditions.append({})
            draw()

        def remove(condition: Document) -> None:
            conditions[:] = [each for each in conditions if each is not condition]
            draw()
            self._changed()

        draw()

    def condition(self, condition: Document, remove: Callable[[], None] | None = None) -> None:
        """Edit one condition."""
        with block("div", "condition"):
            known = condition.get("field") if condition.get("field") in self._fields else None
            field = ui.select(
                {path: f"{self._names.get(path, path)}  ·  {type_word(each)}" for path, each in self._fields.items()},
                label=self._label,
                value=known,
                with_input=True,
            ).props("outlined dense options-dense")
            rest = block("div", "condition-rest")
            field.on_value_change(lambda change: self._choose(condition, change.value, rest))
            if remove:
                tool("close", _("Take this condition out"), remove)
            if known:
                self._rest(condition, rest)

    def _choose(self, condition: Document, path: str | None, rest: Element) -> None:
        old = self._fields.get(condition.get("field", ""))
        condition["field"] = path
        fitting = operators_for(self._fields[path]) if path else ()
        if path is None or condition.get("operator") not in fitting or (old and old.type != self._fields[path].type):
            condition.pop("value", None)
            condition.pop("ignore_case", None)
            condition["operator"] = "exists" if path else None
        self._rest(condition, rest)
        self._changed()

    def _rest(self, condition: Document, rest: Element) -> None:
        """Draw the operators that fit the field, and room for a value."""
        rest.clear()
        field = self._fields.get(condition.get("field") or "")
        if field is None:
            return
        words = operator_words()
        with rest:
            operator = ui.select(
                {each: words[each] for each in operators_for(field)}, value=condition.get("operator") or "exists"
            ).props("outlined dense options-dense")
            operator.props["aria-label"] = _("Operator")
            place = block("div", "value")

        def chosen(name: str) -> None:
            if takes(name) != takes(condition.get("operator") or "exists"):
                condition.pop("value", None)
            condition["operator"] = name
            place.clear()
            with place:
                self._value(condition, field)
            self._changed()

        operator.on_value_change(lambda change: chosen(change.value))
        with place:
            self._value(condition, field)

    def _value(self, condition: Document, field: Field) -> None:
        kind = takes(condition.get("operator") or "exists")
        if kind == "nothing":
            return
        if kind == "list":
            self._list(condition, field)
        elif field.type is FieldType.NUMBER:
            number = ui.number(value=condition.get("value")).props("outlined dense")
            number.props["aria-label"] = _("Value")
            number.on_value_change(lambda change: self._set(condition, "value", change.value))
        elif field.type is FieldType.FLAG:
            flag = ui.select({True: _("yes"), False: _("no")}, value=condition.get("value")).props("outlined dense")
            flag.props["aria-label"] = _("Value")
            flag.on_value_change(lambda change: self._set(condition, "value", change.value))
        elif field.type is FieldType.MOMENT:
            day = ui.input(value=condition.get("value")).props("outlined dense type=date")
            day.props["aria-label"] = _("Day")
            day.on_value_change(lambda change: self._set(condition, "value", change.value))
        else:
            self._text(condition, field)

    def _list(self, condition: Document, field: Field) -> None:
        chosen = [str(each) for each in condition.get("value") or []]
        chips = ui.select(chosen, value=chosen, multiple=True, with_input=True, new_value_mode="add-unique")
        chips.props("outlined dense options-dense use-chips hide-dropdown-icon").classes("grow")
        chips.props["aria-label"] = _("Values")
        chips.props["hint"] = _("Press Enter after each")
        chips.on_value_change(lambda change: self._set(condition, "value", _typed(change.value, field)))

        async def offer() -> None:
            found = await self._suggest(field.path) if field.type is FieldType.TEXT else []
            if found and not chips.is_deleted:
                chips.set_options(list(dict.fromkeys([*found, *chips.value])))

        ui.timer(0.05, offer, once=True)

    def _text(self, condition: Document, field: Field) -> None:
        value = ui.input(value=condition.get("value")).props("outlined dense").classes("grow")
        value.props["aria-label"] = _("Value")
        value.on_value_change(lambda change: self._set(condition, "value", change.value))
        case = ui.checkbox(_("Any case"), value=bool(condition.get("ignore_case"))).props("dense")
        case.on_value_change(lambda change: self._set(condition, "ignore_case", bool(change.value)))

        async def offer() -> None:
            found = await self._suggest(field.path)
            if not value.is_deleted:
                value.set_autocomplete(found)

        ui.timer(0.05, offer, once=True)

    def _set(self, document: Document, key: str, value: Any) -> None:
        document[key] = value
        self._changed()


def type_word(field: Field) -> str:
    word = {
        FieldType.TEXT: _("text"),
        FieldType.NUMBER: _("number"),
        FieldType.FLAG: _("yes or no"),
        FieldType.MOMENT: _("date"),
    }[field.type]
    return _("list of {type}", type=word) if field.array else word


def _typed(values: list[str], field: Field) -> list[Any]:
    if field.type is not FieldType.NUMBER:
        return list(values)
    found = []
    for value in values:
        try:
            found.append(float(value))
        except ValueError:
            continue
    return found
