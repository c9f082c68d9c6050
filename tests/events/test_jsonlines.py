"""JSON as lines: the compiled walk says what parsing says; arrays and printed objects become lines."""

import gzip
import json
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from likelier.events.jsonlines import NOT_JSON, as_lines, read_lines, split, structure, unpacked

keys = st.text(alphabet='ab"\\:,{}[] \u00e9\u2028', max_size=4)
texts = st.text(alphabet='ab"\\:,{}[]\u00e9\u2028 \t\n1t', max_size=6)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=8,
)
written = st.builds(
    lambda value, ascii_, spaced: json.dumps(
        value, ensure_ascii=ascii_, separators=(" , ", " : ") if spaced else (",", ":")
    ).encode(),
    values,
    st.booleans(),
    st.booleans(),
)
broken = st.sampled_from(
    [b"{", b"{broken", b'{"a":tru}', b'{"a":1.2.3}', b'{"a":"x}', b'{"a":"\xff"}', b'{"a":1}{', b"\\"]
)
blank = st.sampled_from([b"", b"  ", b"\t", b"\r"])


def numbered(lines, folder, *, small):
    file, kept = folder / "lines.jsonl", folder / "numbers"
    file.write_bytes(b"\n".join(lines))
    found = read_lines(file, kept, small)
    return found, np.fromfile(kept, dtype=np.uint64)


@settings(max_examples=60, deadline=None)
@given(st.lists(written | broken | blank, max_size=12))
def test_the_compiled_walk_finds_what_parsing_finds(tmp_path_factory, lines):
    folder = tmp_path_factory.mktemp("lines")
    expected = [structure(line) for line in lines if line.strip()]
    for small in (0, 1 << 60):
        found, numbers = numbered(lines, folder, small=small)
        assert len(numbers) == len(expected)
        valid = Counter(text for text in expected if text != NOT_JSON)
        if small:
            assert found.counts == Counter(expected)
        for text in valid:  # a broken line may share the number of one that is not: reading it says so
            assert found.counts[text] >= valid[text]
        assert found.count == len(expected)
        for number, text in zip(numbers, expected, strict=True):
            assert found.numbers[int(number)] == text or text == NOT_JSON


def test_lines_that_differ_only_in_values_share_a_structure(tmp_path):
    lines = [b'{"a": 1, "b": "x"}', b'{"a": -2.5e3, "b": "\\" : {"}', b'{"b": "y", "a": 7}', b'{"a": "1", "b": "x"}']
    found, _ = numbered(lines, tmp_path, small=0)
    assert found.counts == {'{"a":"number","b":"text"}': 3, '{"a":"text","b":"text"}': 1}


def test_the_faults_of_lines_are_written_by_their_place(tmp_path):
    lines = [b'{"a":1}', b"", b'{"a":"x"}', b"{", b'{"a":2}', b'{"a":"y"}']
    for small in (0, 1 << 60):
        found, _ = numbered(lines, tmp_path, small=small)
        assert found.write_faults({'{"a":"text"}': "odd", NOT_JSON: "broken"}, tmp_path / "faults.parquet")
        rows = pytest.importorskip("pyarrow.parquet").read_table(tmp_path / "faults.parquet").to_pylist()
        assert [(row[".line"], row[".fault"]) for row in rows] == [(2, "odd"), (3, "broken"), (5, "odd")]


@settings(max_examples=40, deadline=None)
@given(st.lists(written.filter(lambda text: text.startswith(b"{")), min_size=1, max_size=6), st.integers(1, 40))
def test_an_array_becomes_lines_wherever_its_blocks_end(elements, size):
    pretty = [json.dumps(json.loads(element), indent=2).encode() for element in elements]
    text = b"[\n" + b",\n".join(pretty) + b"\n]\n"
    state, out = np.zeros(3, dtype=np.int64), b""
    for start in range(0, len(text), size):
        data = np.frombuffer(text[start : start + size], dtype=np.uint8).copy()
        split(data, state, 1)
        out += data.tobytes()
    assert [json.loads(line) for line in out.split(b"\n") if line.strip()] == [json.loads(line) for line in elements]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ('{"a":1}\n{"a":2}\n', None),
        ('[{"a":1}, {"a":2}]', [{"a": 1}, {"a": 2}]),
        ('\n [\n{"a":1},\n{"a":\n2}]', [{"a": 1}, {"a": 2}]),
        ('{\n  "a": 1\n}\n{\n  "a": {"b": "}\\n{"}\n}', [{"a": 1}, {"a": {"b": "}\n{"}}]),
        ('\ufeff{"a":1}\n{"a":2}', [{"a": 1}, {"a": 2}]),
        ('\ufeff[{"a":1}]', [{"a": 1}]),
        ("", None),
        ("[]", []),
    ],
)
def test_tells_lines_from_arrays_and_printed_objects(tmp_path, text, lines):
    file = tmp_path / "events.json"
    file.write_bytes(text.encode())
    found = as_lines(file, tmp_path / "lines.jsonl")
    if lines is None:
        assert found == file
    else:
        assert [json.loads(line) for line in found.read_bytes().split(b"\n") if line.strip()] == lines


def test_unpacks_by_name(tmp_path):
    file = tmp_path / "events.jsonl.gz"
    file.write_bytes(gzip.compress(b"one\ntwo\n"))
    with unpacked(file) as stream:
        assert list(stream) == [b"one\n", b"two\n"]
