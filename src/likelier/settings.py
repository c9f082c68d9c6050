"""Settings: rows of name, default and help, read once at the edge into a frozen value.

A command line option wins over the environment (``LIKELIER_<NAME>``), which wins over the default.

>>> settings = read_settings({"LIKELIER_SEED": "3"}, home="/data/shop")
>>> settings.seed, settings.database
(3, 'sqlite:////data/shop/likelier.db')
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from likelier.errors import UsageError
from likelier.phrases import say

PREFIX = "LIKELIER_"


class EngineName(StrEnum):
    """What reads events, evaluates conditions and sorts."""

    DUCKDB = "duckdb"
    SPARK = "spark"


def _row(default: Any, help_: str, *, secret: bool = False) -> Any:
    return dataclasses.field(default=default, metadata={"help": help_}, repr=not secret)


# ruff: noqa: RUF009 - `_row` makes a dataclass field


@dataclass(frozen=True)
class Settings:
    """Everything that can be set; see :data:`ROWS` for what each means."""

    home: Path = _row(Path("likelier-home"), "Folder that holds the lake, the store and the runs.")
    database: str = _row(
        "", "Database URL of the store: sqlite or postgresql. Default: likelier.db in the home folder.", secret=True
    )
    lake: str = _row("", "Folder or object-store URL of the datasets and scores. Default: lake in the home folder.")
    memory: str = _row("1500MB", "Memory the query engine may use before it spills to disk.")
    engine: EngineName = _row(
        EngineName.DUCKDB, "What runs, pre-flights and backtests read with: duckdb, or spark (docs/spark.md)."
    )
    spark: str = _row("local[*]", "Master of the Spark cluster, such as spark://HOST:7077.")
    threads: int = _row(0, "Threads of the query engine and the model; 0: one per core.")
    seed: int = _row(7, "Seed of every run that names no other: the same seed on the same data gives the same scores.")
    readings_gb: float = _row(
        20.0,
        "Gigabytes that what runs have read may take in the home folder, so that later ones read only what came "
        "since; 0: nothing is kept.",
    )
    lease_seconds: float = _row(30.0, "A running process that has not been heard of for this long has lost its run.")
    beat_seconds: float = _row(1.0, "How often a run writes its progress and renews its lease.")
    attempts: int = _row(5, "How often one stage is started before its run counts as failed.")
    minimum_auc: float = _row(
        0.65, "A model below this out-of-time AUC is a training issue: its scores stay unpublished."
    )
    retrain_days: float = _row(
        91.0, "Days after which the model of scheduled runs has to stand up to a new one; 0: every run trains anew."
    )
    stale_days: float = _row(182.0, "Days after which the model of scheduled runs is replaced in any case.")
    late_days: float = _row(
        2.0, "Days that events may come in late: figures of an outcome window are provisional until then."
    )

    export_folder: str = _row(
        "", "Folder below which exports asked for over REST or on the pages may write files. Default: none may."
    )
    webhook_secret: str = _row("", "Secret under which the batches of webhooks are signed.", secret=True)

    alert_webhook: str = _row("", "Address that alerts are posted to, signed with the webhook secret.", secret=True)
    alert_email: str = _row("", "Addresses that alerts are mailed to, with commas between.")
    alert_sender: str = _row("likelier@localhost", "Address that alerts are mailed from.")
    alert_language: str = _row("en", "Language of alerts: en, fr, es or pt.")
    smtp_url: str = _row("", "Mail server: smtp://USER:PASSWORD@HOST:587, or smtps://.", secret=True)
    quiet_hours: str = _row("", "Hours in which no alert is sent, such as 22-7 Europe/Berlin; they wait.")
    missed_hours: float = _row(6.0, "Hours after which a scheduled run that has not begun counts as missed.")

    keep_events_days: int = _row(0, "Days that events are kept by a server or `likelier retention`; 0: for ever.")
    keep_scores_days: int = _row(0, "Days that scores are kept by a server or `likelier retention`; 0: for ever.")

    public_url: str = _row(
        "", "Address at which browsers reach the server, such as https://likelier.example.com. Default: as they say."
    )
    oidc_issuer: str = _row("", "Issuer of an OpenID Connect provider through which people sign in. Default: none.")
    oidc_client_id: str = _row("", "Name of this server at the provider.")
    oidc_client_secret: str = _row("", "Secret of this server at the provider.", secret=True)
    oidc_name: str = _row("your organisation", "What the button says after 'Sign in with'.")
    oidc_scope: str = _row("openid profile email", "What the provider is asked to tell.")
    oidc_claim: str = _row("roles", "Claim of the ID token, one text or several, that says what a person may do.")
    oidc_roles: str = _row(
        "view=view, manage=manage, audit=audit, admin=admin",
        "Which value of the claim gives which role. Nobody gets in without one.",
    )

    @property
    def runs(self) -> Path:
        """The folder in which runs work."""
        return self.home / "runs"

    @property
    def readings(self) -> Path:
        """The folder in which what runs have read is kept for later ones."""
        return self.home / "readings"


@dataclass(frozen=True)
class Row:
    """One setting."""

    name: str
    default: Any
    help: str

    @property
    def variable(self) -> str:
        return PREFIX + self.name.upper()


ROWS = tuple(Row(field.name, field.default, field.metadata["help"]) for field in dataclasses.fields(Settings))


def read_settings(environment: Mapping[str, str] = os.environ, **chosen: Any) -> Settings:
    """Read the environment and what was chosen on the command line (None: not chosen).

    A variable that is no setting is left alone: a cluster sets ``LIKELIER_SERVICE_HOST`` and the like by itself.

    >>> read_settings({"LIKELIER_THREADS": "two"})
    Traceback (most recent call last):
    likelier.errors.UsageError: LIKELIER_THREADS is 'two', and should be a whole number.
    >>> read_settings({"LIKELIER_ENGINE": "sparc"})
    Traceback (most recent call last):
    likelier.errors.UsageError: LIKELIER_ENGINE is 'sparc', and should be one of duckdb, spark.
    """
    found = {row.name: environment[row.variable] for row in ROWS if environment.get(row.variable)}
    values = {name: _convert(name, text) for name, text in found.items()}
    values |= {name: _convert(name, value) for name, value in chosen.items() if value is not None}
    home = Path(values.pop("home", Settings.home)).expanduser().absolute()
    values.setdefault("database", f"sqlite:///{home / 'likelier.db'}")
    values.setdefault("lake", str(home / "lake"))
    return Settings(home=home, **values)


def _convert(name: str, value: Any) -> Any:
    kind = type(getattr(Settings, name))
    try:
        return Path(value) if issubclass(kind, Path) else kind(value)
    except ValueError:
        wanted = {
            int: say("a whole number"),
            float: say("a number"),
            EngineName: say("one of {known}", known=", ".join(EngineName)),
        }[kind]
        raise UsageError(
            say(
                "{variable} is '{value}', and should be {wanted}.",
                variable=f"{PREFIX}{name.upper()}",
                value=str(value),
                wanted=wanted,
            )
        ) from None
