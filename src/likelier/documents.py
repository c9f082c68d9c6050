"""YAML documents that people write: read so that nothing is guessed, refused with the line and in plain words.

Compared with YAML 1.1, fewer plain words turn into something else: only ``true`` and ``false`` are flags (``no`` is a
text), ``007`` and ``12:30`` are texts, and a date stays the text that was written. A key that stands twice in one
group is refused: one of its two values would be lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml

from likelier.errors import UsageError

Path: TypeAlias = tuple[str | int, ...]

MOST_PARTS, DEEPEST = 50_000, 60


@dataclass(frozen=True)
class Document:
    """What a document says, and the line each part of it stands on."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """Find the line of a part, or of the part around it when it is not there."""
        while path not in self.lines:
            path = path[:-1]
        return self.lines[path]


def read_document(text: str, source: str = "document") -> Document:
    """Read a YAML document.

    >>> read_document("{since: 2024-01-01, sku: 007, active: no}").value
    {'since': '2024-01-01', 'sku': '007', 'active': 'no'}
    >>> read_document("{a: 1, b: 2, a: 2}", "i.yaml")
    Traceback (most recent call last):
    likelier.errors.UsageError: i.yaml, line 1: the key 'a' stands here a second time. Keep one of the two.
    """
    loader = _Loader(_readable(text, source))
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None, {(): 1})
        lines = dict(_lines(node, (), source))
        return Document(loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as error:
        raise UsageError(_not_yaml(error, source)) from None
    except RecursionError:
        raise UsageError(f"{source} is nested too deeply.") from None
    finally:
        loader.dispose()


def show_path(path: Path) -> str:
    """Write a path as people do.

    >>> show_path(("goal", "events", 0, "name"))
    'goal.events[0].name'
    """
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


class _Loader(yaml.SafeLoader):
    """Reads plain words as described above."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own attribute

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> str:
        """Read a text; JSON writes a rare character as two halves, which belong together."""
        try:
            return super().construct_scalar(node).encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            raise yaml.MarkedYAMLError(problem="half a character", problem_mark=node.start_mark) from None


_Loader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|)$"), ["~", "n", ""])
_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile(r"^(?:true|false)$"), ["t", "f"])
_INT = re.compile(r"^[-+]?(?:0|[1-9][0-9]{0,17})$")  # a longer one is a code, not a count
_Loader.add_implicit_resolver("tag:yaml.org,2002:int", _INT, list("-+0123456789"))
# What PyYAML and JSON write for a float; an exponent has its sign, so that 12e45 stays a code.
_FLOAT = re.compile(r"^(?:[-+]?[0-9]+(?:\.[0-9]*(?:[eE][-+][0-9]+)?|[eE][-+][0-9]+)|[-+]?\.inf|\.nan)$")
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+0123456789."))
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", re.compile(r"^<<$"), ["<"])


def _readable(text: str, source: str) -> str:
    try:
        yaml.reader.Reader(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UsageError(f"{source}, line {line}: there is a character here that no text file should hold.") from None
    return text


def _lines(node: yaml.Node, path: Path, source: str) -> Iterator[tuple[Path, int]]:
    waiting: list[tuple[yaml.Node, Path, int]] = [(node, path, node.start_mark.line + 1)]
    count = 0
    while waiting:
        part, path, line = waiting.pop()
        count += 1
        if count > MOST_PARTS or len(path) > DEEPEST:  # anchors that hold each other grow without end
            raise UsageError(f"{source} is too large: it has more than {MOST_PARTS:,} parts or {DEEPEST} levels.")
        yield path, line
        waiting.extend(_parts(part, path, source))


def _parts(node: yaml.Node, path: Path, source: str) -> Iterator[tuple[yaml.Node, Path, int]]:
    if isinstance(node, yaml.SequenceNode):
        for index, part in enumerate(node.value):
            yield part, (*path, index), part.start_mark.line + 1
    elif isinstance(node, yaml.MappingNode):
        seen = set()
        for key, part in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise UsageError(f"{source}, line {line}: a key is a word, not a group or a list.")
            if key.value in seen:
                raise UsageError(
                    f"{source}, line {line}: the key '{key.value}' stands here a second time. Keep one of the two."
                )
            seen.add(key.value)
            yield part, (*path, key.value), line


_PLAIN = {
    "<stream end>": "the end of the file",
    "<block end>": "the end of the group",
    "<block mapping start>": "a new group",
    "<scalar>": "a value",
}


def _not_yaml(error: yaml.MarkedYAMLError, source: str) -> str:
    mark = error.problem_mark or error.context_mark
    place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = str(error.problem or error.context or "it cannot be read")
    for theirs, plain in _PLAIN.items():
        problem = problem.replace(f"'{theirs}'", plain)
    hint = _hint(problem)
    return f"{source}{place}: this is not YAML: {problem}.{hint}"


def _hint(problem: str) -> str:
    if "character '\\t'" in problem:
        return " Indent with spaces, not tabs."
    if "mapping values are not allowed" in problem:
        return " Put a value that holds ': ' in quotes, and check the indentation."
    if "another document" in problem:
        return " Keep what stands before '---'."
    if any(sign in problem for sign in ("expected the node content", "expected ',' or", "unexpected end of stream")):
        return " Check that every bracket and quote that is opened is closed."
    return " Check the indentation, the brackets and the quotes."
