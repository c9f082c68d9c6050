"""Telling people what they should know without asking: by webhook, by e-mail, or both.

After each run its matters are noted: that it failed or its model is poor, what drifts, where expected and actual
disagree beyond chance. A server looks besides for schedules that were missed. A matter is told once while it lasts;
when it was over and comes again, it is told again. What is noted in quiet hours is told when they end. A channel that
fails is tried again, later each time, for about two days; what was told by one channel is not told by it again.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import Connection

from likelier.access.audit import Thing, record
from likelier.access.identity import Actor
from likelier.errors import LikelierError, UsageError
from likelier.exports import mail, webhook
from likelier.insights import matters
from likelier.insights.matters import MISSED, Matter
from likelier.languages import NAMES, Language
from likelier.phrases import day, join, say
from likelier.runs.records import Run, State
from likelier.service.workspace import Workspace
from likelier.settings import Settings
from likelier.store import alerts as stored
from likelier.store import instances as stored_instances
from likelier.store import outcomes, schedules
from likelier.store import runs as records
from likelier.store.alerts import Alert

log = logging.getLogger(__name__)
LEASE = dt.timedelta(minutes=5)
FIRST_WAIT = dt.timedelta(minutes=10)
ATTEMPTS = 9
Channel = Callable[[str, Sequence[Alert]], None]
ENGLISH = Language.of("en")
KINDS = {
    kind: kind
    for kind in (
        say("failed run"),
        say("poor model"),
        say("drift"),
        say("missed schedule"),
        say("disagreement"),
        say("test"),
    )
}
"""Kinds of matters, in words that know other languages."""
CHANNELS = {name: name for name in (say("webhook"), say("e-mail"))}


@dataclass(frozen=True)
class QuietHours:
    """Hours of the day, in a time zone, in which nobody is told anything; they may go through midnight.

    >>> hours = QuietHours.of("22-7 Europe/Berlin")
    >>> late, early = (dt.datetime(2024, 6, 1, hour, 30, tzinfo=dt.UTC) for hour in (20, 5))
    >>> hours.hold(late), hours.hold(early), QuietHours.of("22-7").hold(early), QuietHours.of("").hold(late)
    (True, False, True, False)
    """

    begin: int
    end: int
    zone: ZoneInfo

    @classmethod
    def of(cls, text: str) -> QuietHours:
        if not text.strip():
            return cls(0, 0, ZoneInfo("UTC"))
        found = re.fullmatch(r"(\d|1\d|2[0-4])\s*-\s*(\d|1\d|2[0-4])(?:\s+(\S+))?", text.strip())
        try:
            zone = ZoneInfo(found[3] or "UTC") if found else None
        except (ValueError, OSError, ZoneInfoNotFoundError):
            zone = None
        if found is None or zone is None:
            raise UsageError(say("LIKELIER_QUIET_HOURS is '{text}'. Write it as 22-7 Europe/Berlin.", text=text))
        return cls(int(found[1]) % 24, int(found[2]) % 24, zone)

    def hold(self, moment: dt.datetime) -> bool:
        hour = moment.astimezone(self.zone).hour
        return self.begin <= hour < self.end if self.begin <= self.end else not self.end <= hour < self.begin


def alert_after(workspace: Workspace, run: Run) -> None:
    """Note what a run gave reason to tell, and tell it."""
    try:
        notice(workspace, run.instance_id)
        send_waiting(workspace)
    except Exception as error:  # noqa: BLE001 - the run has ended, whatever becomes of this; a message may hold a secret
        log.warning("Alerts after run %s could not be told: %s", run.id, type(error).__name__)


def notice(workspace: Workspace, instance_id: str) -> list[Alert]:
    """Note the matters of an instance that are new, and which are over; give the new ones."""
    with workspace.store.write() as connection:
        instance = stored_instances.find(connection, instance_id)
        if instance is None:
            return []
        run, found = _matters(connection, instance_id)
        keys = {matter.key for matter in found}
        for each in stored.lasting(connection, instance_id):
            if each.key not in keys:
                stored.end(connection, each.id, now=workspace.clock())
        return _noted(connection, workspace, instance_id, instance.name, run.id if run else None, found)


def notice_schedules(workspace: Workspace) -> list[Alert]:
    """Note the schedules that fell due long ago and whose run has not begun; others are over."""
    now = workspace.clock()
    late = now - dt.timedelta(hours=workspace.settings.missed_hours)
    with workspace.store.read() as connection:
        missed = {each.instance_id: each.at for each in schedules.due(connection, late)}
        for run in records.waiting(connection):
            if run.state is State.QUEUED and run.queued_at <= late:
                missed.setdefault(run.instance_id, run.queued_at)
    if not missed:
        return []
    new = []
    with workspace.store.write() as connection:
        for instance_id, at in missed.items():
            instance = stored_instances.find(connection, instance_id)
            words = say("The run that was due at {due} has not begun.", due=day(at))
            matter = Matter(MISSED, f"{MISSED}: {at.isoformat()}", words)
            if instance:
                new += _noted(connection, workspace, instance_id, instance.name, None, [matter])
    return new


def send_waiting(workspace: Workspace) -> int:
    """Tell all that waits, in one message a channel, unless hours are quiet; say how many were told."""
    settings, now = workspace.settings, workspace.clock()
    channels = channels_of(settings, now)
    if not channels or QuietHours.of(settings.quiet_hours).hold(now):
        return 0
    with workspace.store.write() as connection:
        taken = stored.take(connection, now=now, until=now + LEASE)
    told = 0
    for alike in _alike(taken):
        told += _tell(workspace, channels, alike)
    return told


def send_test(workspace: Workspace, actor: Actor) -> list[str]:
    """Send a test through every channel, also in quiet hours; name the channels. Raises what goes wrong."""
    now = workspace.clock()
    QuietHours.of(workspace.settings.quiet_hours)
    channels = channels_of(workspace.settings, now)
    if not channels:
        raise UsageError(
            say("Nobody is told. Set LIKELIER_ALERT_WEBHOOK, or LIKELIER_ALERT_EMAIL and LIKELIER_SMTP_URL.")
        )
    words = say("This is a test: alerts come through.")
    alert = Alert(workspace.new_id(), "", "likelier", "test", "test", words, now)
    for send in channels.values():
        send(alert.id, [alert])
    with workspace.store.write() as connection:
        record(
            connection, actor, "alerts.test", Thing("alerts", alert.id, "alerts"), now=now, after={"to": [*channels]}
        )
    return [*channels]


def list_alerts(workspace: Workspace, limit: int = 100, *, after: str | None = None) -> list[dict[str, Any]]:
    """What was noticed, newest first; what came before an alert, when told."""
    with workspace.store.read() as connection:
        return [
            told(each) | {"state": str(state(each)), "sent": dict(each.sent)}
            for each in stored.newest(connection, limit, after=after)
        ]


def told(alert: Alert, language: Language = ENGLISH) -> dict[str, Any]:
    """Give an alert as a webhook gets it, its words in a language."""
    return {
        "id": alert.id,
        "kind": alert.kind,
        "instance": alert.instance,
        "instance_id": alert.instance_id,
        "run": alert.run_id,
        "words": language.say(alert.words),
        "noticed_at": alert.noticed_at.isoformat(),
        "over_at": alert.over_at.isoformat() if alert.over_at else None,
    }


def state(alert: Alert) -> str:
    """Say whether it was told."""
    if alert.next_at:
        return say("waits") if alert.error is None else say("is tried again: {error}", error=alert.error)
    if alert.error:
        return say("could not be told: {error}", error=alert.error)
    return say("told by {channels}", channels=named(alert.sent)) if alert.sent else say("noted")


def wanted_channels(settings: Settings) -> list[str]:
    """Name the channels by which somebody is to be told."""
    wanted = {"webhook": settings.alert_webhook, "e-mail": settings.alert_email}
    return [name for name, to in wanted.items() if to]


def named(channels: Iterable[str]) -> str:
    """Name channels in words that know other languages.

    >>> named(["webhook", "e-mail"])
    'webhook and e-mail'
    """
    return join([CHANNELS.get(each, each) for each in channels], say(" and "))


def channels_of(settings: Settings, now: dt.datetime) -> dict[str, Channel]:
    """Give the channels that are set up."""
    found: dict[str, Channel] = {}
    language = _language(settings)
    if settings.alert_webhook:
        if not settings.alert_webhook.startswith(("https://", "http://")):
            raise UsageError(say("LIKELIER_ALERT_WEBHOOK is no address. It begins with https://."))
        if not settings.webhook_secret:
            raise UsageError(say("What a webhook is sent is signed: set LIKELIER_WEBHOOK_SECRET."))
        found["webhook"] = lambda key, alerts: webhook.post(
            settings.alert_webhook, settings.webhook_secret, key, {"alerts": [told(each, language) for each in alerts]}
        )
    if settings.alert_email:
        if not settings.smtp_url:
            raise UsageError(say("Alerts are to be mailed, and no mail server is named: set LIKELIER_SMTP_URL."))
        server = mail.Server.of(settings.smtp_url)
        to = [each.strip() for each in settings.alert_email.split(",") if each.strip()]
        found["e-mail"] = lambda key, alerts: mail.send(
            server,
            mail.message(
                settings.alert_sender,
                to,
                subject(alerts, language),
                letter(alerts, settings),
                key=key,
                now=now.timestamp(),
            ),
        )
    return found


def subject(alerts: Sequence[Alert], language: Language = ENGLISH) -> str:
    """Say in a line what a mail is about."""
    first, others = alerts[0], len(alerts) - 1
    parts = [f"likelier: {language.say(KINDS.get(first.kind, first.kind))}, {first.instance}"]
    if others:
        parts.append(language.say_many("and {n} more", "and {n} more", others))
    return " ".join(parts)


def letter(alerts: Sequence[Alert], settings: Settings) -> str:
    """Write what a mail says."""
    language = _language(settings)
    parts = [
        "\n".join(
            (
                f"{each.instance}: {language.say(KINDS.get(each.kind, each.kind))}",
                language.say(each.words),
                language.say("Noticed {day}.", day=day(each.noticed_at)),
            )
        )
        for each in alerts
    ]
    if settings.public_url:
        parts.append(settings.public_url)
    return "\n\n".join(parts) + "\n"


def _language(settings: Settings) -> Language:
    if settings.alert_language not in NAMES:
        raise UsageError(
            say(
                "LIKELIER_ALERT_LANGUAGE is '{found}', and should be one of {known}.",
                found=settings.alert_language,
                known=", ".join(NAMES),
            )
        )
    return Language.of(settings.alert_language)


def _matters(connection: Connection, instance_id: str) -> tuple[Run | None, list[Matter]]:
    """What is to be told of the newest run that has ended, and of the newest scores whose outcomes are known."""
    from likelier.insights.performance import of_run  # noqa: PLC0415 - loads the model libraries

    ended = (State.SUCCESS, State.FAILED, State.TRAINING_ISSUE)
    history = [run for run in records.history(connection, instance_id=instance_id) if run.state in ended]
    if not history:
        return None, []
    latest, found = history[0], []
    if latest.error:
        poor = latest.state is State.TRAINING_ISSUE
        found.append(matters.of_failure(latest.error.code, latest.error.title, latest.error.message, poor=poor))
    good = [run for run in history if run.state is State.SUCCESS]
    if good:
        found += matters.of_drift((records.read_insights(connection, good[0].id) or {}).get("drift"))
    known = outcomes.recorded(connection, instance_id)
    judged = next((run for run in sorted(good, key=_cut_off, reverse=True) if run.id in known), None)
    if judged:
        insights = records.read_insights(connection, judged.id) or {}
        told_of_it = of_run(insights, known[judged.id].document) if insights else None
        found += matters.of_outcome({**told_of_it, "cut_off": _cut_off(judged).isoformat()}) if told_of_it else []
    return latest, found


def _cut_off(run: Run) -> dt.datetime:
    assert run.as_of is not None
    return run.as_of


def _noted(
    connection: Connection,
    workspace: Workspace,
    instance_id: str,
    name: str,
    run_id: str | None,
    found: Sequence[Matter],
) -> list[Alert]:
    now, wanted = workspace.clock(), bool(wanted_channels(workspace.settings))
    made = [
        Alert(
            workspace.new_id(),
            instance_id,
            name,
            matter.kind,
            matter.key,
            matter.words,
            now,
            run_id,
            next_at=now if wanted else None,
        )
        for matter in found
    ]
    return [each for each in made if stored.add(connection, each)]


def _alike(alerts: Sequence[Alert]) -> list[list[Alert]]:
    """Put those together that the same channels have taken and that were tried as often."""
    groups: dict[tuple[Any, ...], list[Alert]] = {}
    for each in alerts:
        groups.setdefault((each.attempts, *sorted(each.sent)), []).append(each)
    return [*groups.values()]


def _tell(workspace: Workspace, channels: Mapping[str, Channel], alerts: Sequence[Alert]) -> int:
    now, ids = workspace.clock(), [each.id for each in alerts]
    key = hashlib.sha256("\0".join(ids).encode()).hexdigest()[:32]
    sent, attempts, trouble = dict(alerts[0].sent), alerts[0].attempts + 1, {}
    for name, send in channels.items():
        if name not in sent:
            try:
                send(key, alerts)
                sent[name] = now.isoformat()
            except LikelierError as error:
                trouble[name] = str(error)
    again = trouble and attempts < ATTEMPTS
    with workspace.store.write() as connection:
        stored.settle(
            connection,
            ids,
            sent=sent,
            attempts=attempts,
            next_at=now + FIRST_WAIT * 2 ** (attempts - 1) if again else None,
            error=join([*trouble.values()], "; ") or None,
        )
    for name in trouble:
        log.warning("Alerts could not be told by %s", name)
    return 0 if trouble else len(alerts)
