"""The way in for a file: choose it, look at what the mapping would make of it, change that, ingest."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from html import escape
from inspect import isawaitable
from pathlib import Path
from typing import Any, Literal

from nicegui import context, events, ui

from likelier.events.ingest import IngestResult
from likelier.events.schema import standard_type
from likelier.service.upload import Proposal, ingest_upload, propose
from likelier.ui.language import _, count
from likelier.ui.parts import action, answer_of, block, text, toast, tool
from likelier.ui.site import Site

LARGEST = 4 * 1024**3
CHOOSE = """
<div class="row choose">
  <q-btn label="{choose}" icon="upload_file" no-caps unelevated class="action main" @click="props.pickFiles" />
  <span hidden><q-uploader-add-trigger /></span>
  <span class="soft" v-if="!props.isUploading">{drop}</span>
  <span class="soft" v-else>{{{{ props.uploadSizeLabel }}}} · {{{{ props.uploadProgressLabel }}}}</span>
</div>
"""
"""The head of the place for a file; the usual one has a sign without a name."""
COMMON = (
    "eventType",
    "commerce.purchases.value",
    "commerce.productViews.value",
    "commerce.productListAdds.value",
    "commerce.checkouts.value",
    "commerce.order.purchaseID",
    "commerce.order.priceTotal",
    "productListItems.SKU",
    "productListItems.name",
    "productListItems.quantity",
    "productListItems.priceTotal",
    "web.webPageDetails.name",
    "web.webPageDetails.pageViews.value",
    "web.webInteraction.linkClicks.value",
    "search.keywords",
    "marketing.campaignName",
    "placeContext.geo.countryCode",
)


@dataclass
class Line:
    """A line of the mapping as it is being edited."""

    path: str
    value: str


@dataclass
class Draft:
    """What is being uploaded."""

    file: Path
    proposal: Proposal
    name: str
    kind: Literal["events", "profiles"] = "events"
    namespace: str = ""
    identity: str = ""
    timestamp: str = ""
    lines: list[Line] = field(default_factory=list)

    def mapping(self) -> dict[str, Any] | None:
        """Give the mapping as it stands; None for XDM events, which need none."""
        if self.proposal.mapping is None:
            return None
        found: dict[str, Any] = {}
        if self.identity:
            found["identity"] = {"namespace": self.namespace or "CRMID", "value": self.identity}
        if self.timestamp:
            found["timestamp"] = self.timestamp
        return found | {"fields": {line.path: line.value for line in self.lines if line.path and line.value}}


def upload_dialog(site: Site, dataset: str = "", done: Callable[[str], Any] | None = None) -> None:
    """Open the way in; `done` hears the dataset's name, by default the page turns to it."""
    _Upload(site, dataset, done or (lambda name: ui.navigate.to(f"/datasets/{name}")))


class _Upload:
    def __init__(self, site: Site, dataset: str, done: Callable[[str], Any]) -> None:
        self._site, self._dataset, self._done = site, dataset, done
        self._actor = site.who().actor
        self._draft: Draft | None = None
        self._page = context.client.content
        with (
            ui.dialog().props("persistent") as self._dialog,
            block("div", "card upload"),
        ):
            self._dialog.props["aria-label"] = _("Upload a file")
            with block("div", "row between nowrap"):
                text(_("Upload a file"), "h2")
                tool("close", _("Close"), self._dialog.close)
            self._body = block("div", "stack")
        self._dialog.on("hide", self._dialog.delete)
        self._choose()
        self._dialog.open()

    def _choose(self) -> None:
        with self._body:
            text(_("Events or profile attributes as CSV, Parquet or JSON, also packed as .gz or .zst."), "p", "soft")
            chooser = ui.upload(auto_upload=True, max_files=1, max_file_size=LARGEST, on_upload=self._came)
            chooser.props("flat bordered").classes("chooser")
            chooser.add_slot(
                "header", CHOOSE.format(choose=escape(_("Choose a file")), drop=escape(_("or drop it here")))
            )

    async def _came(self, event: events.UploadEventArguments) -> None:
        name = re.sub(r"[^\w.-]+", "_", Path(event.file.name).name) or "file"
        file = Path(tempfile.mkdtemp(prefix="likelier-")) / name
        await event.file.save(file)
        proposal = await answer_of(partial(propose, file))
        self._body.clear()
        if proposal is None:
            self._choose()
            return
        self._draft = self._begin(file, proposal)
        with self._body:
            self._edit(self._draft)

    def _begin(self, file: Path, proposal: Proposal) -> Draft:
        guessed = proposal.mapping or {}
        identity = guessed.get("identity") or {}
        has_time = proposal.mapping is None or "timestamp" in guessed
        return Draft(
            file,
            proposal,
            self._dataset or re.split(r"\.", file.name)[0],
            "events" if has_time else "profiles",
            identity.get("namespace", "CRMID"),
            identity.get("value", ""),
            guessed.get("timestamp", ""),
            [Line(path, value) for path, value in (guessed.get("fields") or {}).items()],
        )

    def _edit(self, draft: Draft) -> None:
        with block("div", "pair"):
            name = ui.input(_("Dataset"), value=draft.name).props("outlined dense").bind_value(draft, "name")
            name.set_enabled(not self._dataset)
            kinds = {"events": _("Events: what people did"), "profiles": _("Attributes: what is known of people")}
            ui.select(kinds, label=_("What the rows are")).props("outlined dense").bind_value(draft, "kind")
        if draft.proposal.mapping is None:
            text(_("These are XDM events: they need no mapping."), "p", "note")
        else:
            self._mapping(draft)
        with block("div", "row end"):
            action(_("Cancel"), self._dialog.close)
            action(_("Ingest"), self._ingest, "check", kind="main")

    def _mapping(self, draft: Draft) -> None:
        columns = [column.name for column in draft.proposal.columns]
        text(_("How the columns become events. This is a guess: change what is wrong."), "p", "note")
        with block("div", "pair"):
            who = ui.input(_("Who: a column"), autocomplete=columns).props("outlined dense")
            who.bind_value(draft, "identity")
            ui.input(_("Kind of identity")).props("outlined dense").bind_value(draft, "namespace")
            when = ui.input(_("When: a column"), autocomplete=columns).props("outlined dense")
            when.bind_value(draft, "timestamp")
        text(_("Fields"), "h3")
        self._lines = block("div", "stack tight lines")
        with self._lines:
            for line in draft.lines:
                self._line(draft, line)
        action(_("Add a field"), partial(self._add, draft), "add", kind="quiet").classes("start")
        with block("details"):
            text(_("The columns of the file"), "summary")
            with block("dl", "facts"):
                for column in draft.proposal.columns:
                    with block("div"):
                        text(column.name, "dt", "mono")
                        text(", ".join(column.few or column.examples) or "–", "dd", "small")

    def _line(self, draft: Draft, line: Line) -> None:
        with block("div", "mapping-line") as place:
            known = [path for path in COMMON if standard_type(path) or path == "eventType"]
            path = ui.input(autocomplete=known).props("outlined dense").bind_value(line, "path")
            path.props["aria-label"] = _("Field")
            text("=", "span", "soft")
            value = ui.input().props("outlined dense").bind_value(line, "value")
            value.props["aria-label"] = _("Column or expression")

            def remove() -> None:
                draft.lines.remove(line)
                place.delete()

            tool("close", _("Leave out {field}", field=line.path), remove)

    def _add(self, draft: Draft) -> None:
        line = Line("", "")
        draft.lines.append(line)
        with self._lines:
            self._line(draft, line)

    async def _ingest(self) -> None:
        draft = self._draft
        assert draft is not None
        self._body.set_visibility(False)
        told: list[tuple[float, int]] = [(0.0, 0)]
        with self._dialog, self._body.parent_slot.parent if self._body.parent_slot else self._dialog:
            waiting = block("div", "progress", role="status")
        with waiting:
            said = text(_("Ingesting …"), "span")
            with block("div", "track"):
                done = block("div", "done")
        watch = ui.timer(
            0.3, lambda: (done.style(f"width: {100 * told[-1][0]:.1f}%"), said.set_text(_rows(told[-1][1])))
        )
        answer = await answer_of(
            lambda: ingest_upload(
                self._site.workspace,
                self._actor,
                draft.name,
                draft.file,
                mapping=draft.mapping(),
                kind=draft.kind,
                progress=lambda part, rows: told.append((part, rows)),
            )
        )
        watch.cancel()
        waiting.delete()
        if answer is None:
            self._body.set_visibility(True)
            return
        draft.file.unlink(missing_ok=True)
        toast(_told(answer))
        self._dialog.close()
        with self._page:
            going = self._done(draft.name)
            if isawaitable(going):
                await going


def _rows(number: int) -> str:
    return _("Ingesting …") if not number else _("{number} rows", number=count(number))


def _told(answer: IngestResult) -> str:
    return _(
        "{accepted} rows accepted, {duplicate} were there already, {rejected} set aside.",
        accepted=count(answer.accepted),
        duplicate=count(answer.duplicate),
        rejected=count(answer.rejected),
    )
