"""Bring the catalogues up to date with the code: `python -m likelier.languages.gather`.

Texts are found where they are written: as the first argument of `_` or `say`, or the first two of `plural` or
`say_many`. Those that are put together, such as what people do and how factors are named, are added from where they
are listed. A text that is new stands in each catalogue without a translation; one that is gone is taken out.
"""

from __future__ import annotations

import ast
import datetime as dt
from collections.abc import Iterator

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po, write_po

from likelier.conditions import words
from likelier.languages import CATALOGUES, NAMES
from likelier.languages.factors import FACTORS

SOURCES = CATALOGUES.parent
ONE, TWO = {"_", "say"}, {"plural", "say_many"}
LISTED = {"conditions/words.py": words.templates(), "languages/factors.py": list(FACTORS)}
WRITTEN = {"insights/charts.py": ["{digits:number}%", "{digits:number}×"]}
EPOCH = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

Message = str | tuple[str, str]


def gather() -> Catalog:
    """Collect every text that people read, with the files it stands in."""
    found = Catalog(project="likelier", creation_date=EPOCH)
    for file in sorted(SOURCES.rglob("*.py")):
        for message in _messages(ast.parse(file.read_text(encoding="utf-8"))):
            _add(found, message, file.relative_to(SOURCES).as_posix())
    for name, texts in (LISTED | WRITTEN).items():
        for text in texts:
            _add(found, text, name)
    return found


def read(code: str) -> Catalog:
    """Read the catalogue of a language; an empty one if there is none."""
    file = CATALOGUES / f"{code}.po"
    if not file.exists():
        return Catalog(locale=code)
    with file.open("rb") as stream:
        return read_po(stream, locale=code)


def write(code: str, catalogue: Catalog) -> None:
    """Write a catalogue, the same bytes for the same texts."""
    catalogue.revision_date = catalogue.creation_date = EPOCH
    catalogue.header_comment = f"# likelier in {NAMES[code]}. Terms: docs/languages.md."
    catalogue.project, catalogue.version, catalogue.fuzzy = "likelier", "", False
    catalogue.last_translator = catalogue.language_team = catalogue.msgid_bugs_address = ""
    with (CATALOGUES / f"{code}.po").open("wb") as stream:
        write_po(stream, catalogue, width=120, sort_output=True, include_lineno=False, ignore_obsolete=True)


def update() -> None:
    """Bring every catalogue up to date."""
    for code in NAMES:
        if code != "en":
            catalogue = read(code)
            catalogue.update(gather(), no_fuzzy_matching=True)  # it takes the messages themselves, so none is shared
            write(code, catalogue)


def _add(catalogue: Catalog, message: Message, file: str) -> None:
    catalogue.add(message, locations=[(file, 0)])


def _messages(tree: ast.Module) -> Iterator[Message]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        texts = [each.value for each in node.args[:2] if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if name in ONE and texts and texts[0]:
            yield texts[0]
        elif name in TWO and len(texts) == 2:
            yield texts[0], texts[1]


if __name__ == "__main__":
    update()
