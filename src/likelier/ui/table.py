"""Tables that are searched, sorted and paged; cards on a narrow screen."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from nicegui.element import Element

from likelier.ui.language import _, count
from likelier.ui.parts import action, block, hint, icon, text

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column: `draw` draws the cell of a row, `key` sorts by it; without a key the column is not sorted.

    One that is not `shown` has its title only for those who hear it. `about` says what the title means. `needs` gives
    what the cell is drawn from: when rows are shown anew it stays as it is while that is the same, so that nobody loses
    a button under the finger.
    """

    title: str
    draw: Callable[[Row], Any]
    key: Callable[[Row], Any] | None = None
    number: bool = False
    shown: bool = True
    about: str = ""
    needs: Callable[[Row], Any] = lambda row: row


@dataclass
class _Line(Generic[Row]):
    """A row as it is drawn."""

    row: Row
    cells: list[Element]


class Table(Generic[Row]):
    """Rows in an order the reader chooses, so many at a time."""

    def __init__(
        self,
        name: str,
        columns: Sequence[Column[Row]],
        *,
        sort: int | None = None,
        descending: bool = False,
        size: int = 25,
        open_row: Callable[[Row], None] | None = None,
        nothing: str = "",
        identity: Callable[[Row], Hashable] = id,
    ) -> None:
        self._name, self._columns, self._size, self._open, self._nothing = name, columns, size, open_row, nothing
        self._sort, self._descending, self._page = sort, descending, 0
        self._identity = identity
        self._rows: list[Row] = []
        self._lines: list[_Line[Row]] = []
        self._drawn = False
        self._place = block("div", "table-place")

    def show(self, rows: Sequence[Row]) -> None:
        """Show other rows, in the order chosen; of the same rows only what has changed is drawn."""
        had = len(self._rows) if self._drawn else -1
        self._rows = list(rows)
        self._page = min(self._page, max(0, (len(self._rows) - 1) // self._size))
        coming = self._on_page()
        if had == len(self._rows) and [*map(self._identity, coming)] == [
            self._identity(line.row) for line in self._lines
        ]:
            for line, row in zip(self._lines, coming, strict=True):
                self._update(line, row)
        else:
            self._draw()

    def _on_page(self) -> list[Row]:
        start = self._page * self._size
        return self._sorted()[start : start + self._size]

    def _update(self, line: _Line[Row], row: Row) -> None:
        for column, cell in zip(self._columns, line.cells, strict=True):
            if column.needs(line.row) != column.needs(row):
                cell.clear()
                with cell:
                    column.draw(row)
        line.row = row

    def _draw(self) -> None:
        self._place.clear()
        self._lines, self._drawn = [], True
        with self._place:
            if not self._rows:
                text(self._nothing or _("Nothing to show."), "p", "nothing soft")
                return
            with block("table", "rows", aria_label=self._name):
                with block("thead"), block("tr"):
                    for place, column in enumerate(self._columns):
                        self._head(place, column)
                with block("tbody"):
                    for row in self._on_page():
                        self._row(row)
            if len(self._rows) > self._size:
                self._pager()

    def _sorted(self) -> list[Row]:
        key = self._columns[self._sort].key if self._sort is not None else None
        if key is None:
            return self._rows
        known = [row for row in self._rows if key(row) is not None]
        unknown = [row for row in self._rows if key(row) is None]
        return [*sorted(known, key=key, reverse=self._descending), *unknown]

    def _head(self, place: int, column: Column[Row]) -> None:
        cell = block("th", "n" if column.number else "", scope="col")
        with cell:
            if column.key is None:
                text(column.title, "span", "" if column.shown else "away")
                return
            here = place == self._sort
            if here:
                cell.props["aria-sort"] = "descending" if self._descending else "ascending"
            button = block("button", "sorter", type="button")
            button.on("click", lambda: self._sort_by(place))
            with button:
                text(column.title, "span")
                icon("arrow_downward" if self._descending else "arrow_upward", "" if here else "hidden")
            if column.about:
                hint(column.title, column.about)

    def _sort_by(self, place: int) -> None:
        first_down = self._columns[place].number
        self._descending = not self._descending if place == self._sort else first_down
        self._sort, self._page = place, 0
        self._draw()

    def _row(self, row: Row) -> None:
        drawn = _Line(row, [])
        self._lines.append(drawn)
        line = block("tr", "opens" if self._open else "")
        if self._open:
            open_row = self._open
            # A click on a link or a button in the row is meant for that.
            line.on(
                "click",
                lambda: open_row(drawn.row),
                js_handler="(e) => e.target.closest('a, button') || getSelection().toString() || emit()",
            )
        with line:
            for column in self._columns:
                with block("td", "n" if column.number else "") as cell:
                    if column.shown:
                        cell.props["data-label"] = column.title
                    column.draw(row)
                drawn.cells.append(cell)

    def _pager(self) -> None:
        pages = (len(self._rows) - 1) // self._size + 1
        with block("div", "row pager"):
            before = action(_("Previous"), lambda: self._turn(-1), "chevron_left", kind="quiet")
            text(
                _(
                    "{first} – {last} of {all}",
                    first=count(self._page * self._size + 1),
                    last=count(min(len(self._rows), (self._page + 1) * self._size)),
                    all=count(len(self._rows)),
                ),
                "span",
                "soft",
            )
            after = action(_("Next"), lambda: self._turn(1), "chevron_right", kind="quiet")
            before.set_enabled(self._page > 0)
            after.set_enabled(self._page < pages - 1)

    def _turn(self, by: int) -> None:
        self._page += by
        self._draw()
