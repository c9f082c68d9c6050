"""Tables that are searched, sorted and paged; cards on a narrow screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from likelier.ui.language import _, count
from likelier.ui.parts import action, block, icon, text

Row = TypeVar("Row")


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column: `draw` draws the cell of a row, `key` sorts by it; without a key the column is not sorted.

    One that is not `shown` has its title only for those who hear it.
    """

    title: str
    draw: Callable[[Row], Any]
    key: Callable[[Row], Any] | None = None
    number: bool = False
    shown: bool = True


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
    ) -> None:
        self._name, self._columns, self._size, self._open, self._nothing = name, columns, size, open_row, nothing
        self._sort, self._descending, self._page = sort, descending, 0
        self._rows: list[Row] = []
        self._place = block("div", "table-place")

    def show(self, rows: Sequence[Row]) -> None:
        """Show other rows, in the order chosen."""
        self._rows = list(rows)
        self._page = min(self._page, max(0, (len(self._rows) - 1) // self._size))
        self._draw()

    def _draw(self) -> None:
        self._place.clear()
        with self._place:
            if not self._rows:
                text(self._nothing or _("Nothing to show."), "p", "nothing soft")
                return
            with block("table", "rows", aria_label=self._name):
                with block("thead"), block("tr"):
                    for place, column in enumerate(self._columns):
                        self._head(place, column)
                with block("tbody"):
                    start = self._page * self._size
                    for row in self._sorted()[start : start + self._size]:
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

    def _sort_by(self, place: int) -> None:
        first_down = self._columns[place].number
        self._descending = not self._descending if place == self._sort else first_down
        self._sort, self._page = place, 0
        self._draw()

    def _row(self, row: Row) -> None:
        line = block("tr", "opens" if self._open else "")
        if self._open:
            open_row = self._open
            # A click on a link or a button in the row is meant for that.
            line.on(
                "click",
                lambda: open_row(row),
                js_handler="(e) => e.target.closest('a, button') || getSelection().toString() || emit()",
            )
        with line:
            for column in self._columns:
                with block("td", "n" if column.number else "") as cell:
                    if column.shown:
                        cell.props["data-label"] = column.title
                    column.draw(row)

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
