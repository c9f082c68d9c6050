"""Hold-outs: keep a share of a segment's members back, and learn what acting on the others did.

A hold-out begins with the members of that moment; they are the cohort that the report compares, whoever joins or
leaves the segment later. From then on exports leave out those kept back.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import ibis
import pyarrow as pa

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.conditions.condition import all_of, any_of
from likelier.datasets import open_dataset
from likelier.errors import UsageError
from likelier.instance import ask
from likelier.phrases import day, say, say_many
from likelier.profiles import segments as evaluation
from likelier.profiles.holdout import Effect, Side, effect, is_kept_back, people_needed, smallest_visible
from likelier.profiles.rules import Did, Rule, facts
from likelier.profiles.text import write_rule
from likelier.service.instances import whole_instance
from likelier.service.scene import Scene, Wanted, opened_scene
from likelier.service.workspace import Workspace
from likelier.store import instances as stored_instances
from likelier.store import segments as stored
from likelier.store.segments import HoldOut, Segment, cohort_table
from likelier.timespan import DAY, after

LEAST, MOST = 1, 90
LONGEST = 730
"""Days that an outcome may take."""
TEXT = pa.string()
COHORT = pa.schema([("namespace", TEXT), ("id", TEXT), ("kept_back", pa.bool_()), ("cohort", TEXT)])


def begin_hold_out(
    workspace: Workspace,
    actor: Actor,
    name: str,
    *,
    percent: float,
    instance: str | None = None,
    outcome: str | None = None,
    window_days: int | None = None,
) -> dict[str, Any]:
    """Keep back a random, stable share of a segment's members from now on.

    The outcome is the goal of an instance, or an expression of `did (...)` with the days it may take.
    """
    if not LEAST <= percent <= MOST:
        raise UsageError(
            say("{percent:g} % cannot be kept back. Choose {least} to {most}.", percent=percent, least=LEAST, most=MOST)
        )
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        if stored.find_hold_out(scene.connection, segment.id):
            raise UsageError(
                say("'{name}' has a hold-out already. End it first: segments hold-out --end.", name=segment.name)
            )
        rule, days = _outcome(scene, segment, instance, outcome, window_days)
        count = scene.current(segment)
        members = scene.snapshot(segment, count)
        begun = HoldOut(
            segment_id=segment.id,
            cohort=workspace.new_id(),
            percent=percent,
            outcome=write_rule(rule),
            window_days=days,
            started=count.as_of,
            created_at=workspace.clock(),
            created_by=actor.name,
        )
        _keep_cohort(scene, segment, begun, members)
    with workspace.store.write() as connection:
        stored.begin_hold_out(connection, begun)
        told = {"percent": percent, "outcome": begun.outcome, "window_days": days}
        record(connection, actor, "segment.hold_out", _thing(segment), now=begun.created_at, after=told)
    return hold_out_report(workspace, name)


def end_hold_out(workspace: Workspace, actor: Actor, name: str) -> None:
    """Keep nobody back any more; the cohort is forgotten."""
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        _found(scene, segment)
    with workspace.store.write() as connection:
        stored.end_hold_out(connection, segment.id)
        record(connection, actor, "segment.end_hold_out", _thing(segment), now=workspace.clock())
    workspace.lake.delete(cohort_table(segment), "id IS NOT NULL")


def find_hold_out(workspace: Workspace, name: str) -> dict[str, Any] | None:
    """Report on the hold-out of a segment; None when nobody is kept back."""
    with opened_scene(workspace) as scene:
        held = stored.find_hold_out(scene.connection, scene.find(name).id)
    return hold_out_report(workspace, name) if held else None


def hold_out_report(workspace: Workspace, name: str) -> dict[str, Any]:
    """Compare the outcomes of the treated and the kept back, and say what that can show."""
    with opened_scene(workspace) as scene:
        segment = scene.find(name)
        hold_out = _found(scene, segment)
        ends = hold_out.started + hold_out.window_days * DAY
        known_until = scene.newest_midnight(segment.namespace)
        treated, kept_back = _sides(scene, segment, hold_out)
    told: dict[str, Any] = {
        "segment": segment.name,
        "percent": hold_out.percent,
        "outcome": hold_out.outcome,
        "window_days": hold_out.window_days,
        "started": hold_out.started.isoformat(),
        "ends": ends.isoformat(),
        "complete": known_until >= ends,
        "treated": _told(treated),
        "kept_back": _told(kept_back),
        "effect": None,
    }
    if known_until < ends:
        return {**told, "words": [_not_over(known_until, ends), _LIMITS]}
    if not treated.people or not kept_back.people:
        return {**told, "words": [say("One of the sides is empty: there is nothing to compare."), _LIMITS]}
    found = effect(treated, kept_back)
    share = kept_back.people / (treated.people + kept_back.people)
    needed = people_needed(kept_back.rate, found.difference, share)
    numbers = {"difference": found.difference, "low": found.low, "high": found.high, "sure": found.sure}
    visible = smallest_visible(kept_back.rate, treated.people, kept_back.people)
    told["effect"] = {**numbers, "people_needed": needed, "smallest_visible": visible}
    return {**told, "words": [*_words(treated, kept_back, found, needed), _LIMITS]}


def _outcome(
    scene: Scene, segment: Segment, instance: str | None, outcome: str | None, window_days: int | None
) -> tuple[Rule, int]:
    if (instance is None) == (outcome is None):
        raise UsageError(say("Say what the outcome is in one way: an instance, whose goal it is, or an expression."))
    if instance is not None:
        rule, days = _goal(scene, instance)
        return rule, window_days or days
    if window_days is None or window_days < 1:
        raise UsageError(say("Say within how many days the outcome may come, 1 or more."))
    _, rule = scene.bound(Wanted(text=outcome, namespace=segment.namespace))
    if not all(isinstance(fact, Did) and fact.last_days is None for fact in facts(rule)):
        raise UsageError(say("An outcome is what people do: did (...), without 'in the last ... days'."))
    return rule, window_days


def _goal(scene: Scene, name: str) -> tuple[Rule, int]:
    found = stored_instances.get(scene.connection, name)
    instance = whole_instance(scene.connection, found)
    question = ask(instance, [open_dataset(scene.workspace.lake, one) for one in instance.datasets])
    goal, unseen = question.goal, [rule.condition for rule in question.exclusions]
    looked_at = [~any_of(unseen)] if unseen else []
    done = [Did(all_of([rule.condition, *looked_at]), rule.at_least) for rule in goal.events]
    rule = all_of(done) if goal.match == "all" else any_of(done)
    return (rule if goal.occurs else ~rule), goal.window_days


def _keep_cohort(scene: Scene, segment: Segment, begun: HoldOut, members: ibis.Table) -> None:
    back = is_kept_back(members.id, segment.id, begun.percent)
    rows = members.select("namespace", "id", kept_back=back, cohort=ibis.literal(begun.cohort)).order_by("id")
    batches = (batch.cast(COHORT) for batch in scene.engine.stream(rows))
    reader = pa.RecordBatchReader.from_batches(COHORT, batches)
    scene.workspace.lake.append(cohort_table(segment), reader, batch=begun.cohort)


def _found(scene: Scene, segment: Segment) -> HoldOut:
    found = stored.find_hold_out(scene.connection, segment.id)
    if found is None:
        raise UsageError(say("'{name}' has no hold-out. Begin one: likelier segments hold-out.", name=segment.name))
    return found


def _sides(scene: Scene, segment: Segment, hold_out: HoldOut) -> tuple[Side, Side]:
    files = scene.workspace.lake.files(cohort_table(segment))
    if not files:
        return Side(0, 0), Side(0, 0)
    rows = scene.engine.read(files)
    cohort = rows.filter(rows.cohort == hold_out.cohort)
    rule = scene.read_stored(hold_out.outcome, segment.namespace)
    people = scene.events_within(segment.namespace, rule, after(hold_out.started, hold_out.window_days))
    outcome = evaluation.Evaluation(people, {}, [rule], among=cohort.select("id")).holds({"outcome": rule})
    joined = cohort.left_join(outcome, "id")
    counted = joined.group_by("kept_back").aggregate(
        people=joined.count(), outcomes=joined.count(where=joined.outcome.fill_null(False))
    )
    found = {row["kept_back"]: row for row in scene.engine.table(counted).to_pylist()}
    empty = {"people": 0, "outcomes": 0}
    treated, kept = (found.get(side, empty) for side in (False, True))
    return Side(treated["people"], treated["outcomes"]), Side(kept["people"], kept["outcomes"])


def _thing(segment: Segment) -> Thing:
    return Thing("segment", segment.id, segment.name)


def _told(side: Side) -> dict[str, Any]:
    told = {"people": side.people, "outcomes": side.outcomes}
    if not side.people:
        return {**told, "rate": None, "low": None, "high": None}
    low, high = side.interval
    return {**told, "rate": side.rate, "low": low, "high": high}


_LIMITS = say(
    "This compares everybody who was to be treated with everybody who was kept back. It shows what acting on the "
    "segment did as a whole if nothing else told the two sides apart; it does not show for whom it worked, nor that "
    "all the treated were reached."
)


def _not_over(known_until: dt.datetime, ends: dt.datetime) -> str:
    left = round((ends - known_until) / DAY)
    return say_many(
        "The outcome window ends at {ends}; events are known for all but {n} day of it. Too early.",
        "The outcome window ends at {ends}; events are known for all but {n} days of it. Too early.",
        left,
        ends=day(ends),
    )


def _words(treated: Side, kept_back: Side, found: Effect, needed: int | None) -> list[str]:
    told = [
        say(
            "{treated_rate:.1%} of {treated:,} treated and {kept_rate:.1%} of {kept:,} kept back had the outcome: "
            "a difference of {difference:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}).",
            treated_rate=treated.rate,
            treated=treated.people,
            kept_rate=kept_back.rate,
            kept=kept_back.people,
            difference=100 * found.difference,
            low=100 * found.low,
            high=100 * found.high,
        )
    ]
    if found.sure:
        return [*told, say("Chance alone is an unlikely explanation.")]
    told.append(say("Chance alone may explain it: this shows neither that acting helped nor that it did not."))
    if needed and needed > treated.people + kept_back.people:
        told.append(say("If the difference is real, about {needed:,} people would be needed to see it.", needed=needed))
    return told
