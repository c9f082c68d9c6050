"""Reduce events to activities: one row an event, sorted by profile and time, ready for the kernel.

The engine evaluates every signal and packs them as bits, takes the measures as numbers and the categories as hashed
codes, and sorts. What comes back streams into plain files in the run's folder that are then mapped into memory, so the
size of the data is the disk's business.
"""

from __future__ import annotations

import datetime as dt
import json
import mmap
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from operator import add
from pathlib import Path
from typing import Any, BinaryIO

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from likelier.activities.codes import BITS, Category, Codebook, Measure, Signal, Source
from likelier.activities.consent import Consents, load_consents
from likelier.activities.standard import STANDARD_EVENTS
from likelier.backend import Engine, batches
from likelier.datasets import Field, FieldType
from likelier.errors import StorageError
from likelier.identity.persons import stands_for
from likelier.instance import Question

CATEGORY_CODES = 1 << 18
NO_CODE = -1
READ_AT_ONCE = 2_000  # events that lie far apart: each brings the pages around it into memory
ORDER = ("who", "t", "tie")
"""Events of one moment follow each other as the hashes of their ids do: by what they are, not by when they came in."""
PARTS = "parts"
SPANS = "spans.npy"
IDS, STARTS, TIES, CODEBOOK = "ids.arrow", "starts", "ties", "codebook.json"
ARRAYS = ("times", "words", "measures", "slots")
ONE_COLUMN = {"times": "t", TIES: "tie"}
STANDARD = {event.name: event for event in STANDARD_EVENTS}


@dataclass(frozen=True)
class Activities:
    """All profiles' activities as arrays; profile p's stand at ``starts[p]:starts[p + 1]``, ascending in time."""

    ids: pa.Array  # string, one a profile, ascending
    starts: np.ndarray  # int64, profiles + 1
    times: np.ndarray  # int64, microseconds
    words: np.ndarray  # int64, events x words
    measures: np.ndarray  # float32, events x measures, NaN where absent
    slots: np.ndarray  # int32, events x slots, -1 where absent
    spans: np.ndarray | None = None
    """First and last cut-off (by place) that each profile stands for, of stitched persons; None: all do for all."""
    consents: Consents | None = None
    """What they said about being looked at; None: nobody is asked."""

    @property
    def people(self) -> np.ndarray:
        """Number the profiles; those that are one person at different cut-offs have the same number."""
        if self.spans is None:
            return np.arange(self.profiles)
        return stands_for(self.ids).dictionary_encode().indices.to_numpy()

    @property
    def profiles(self) -> int:
        return len(self.ids)

    @property
    def events(self) -> int:
        return len(self.times)

    @property
    def _arrays(self) -> tuple[np.ndarray, ...]:
        return self.times, self.words, self.measures, self.slots

    def bytes(self, first: int, last: int) -> int:
        """Say how many bytes the activities of some profiles have."""
        events = int(self.starts[last] - self.starts[first])
        return events * sum(array.nbytes for array in self._arrays) // max(self.events, 1)

    def let_go(self) -> None:
        """Give back the memory that reading them took, where they are mapped from files; they can be read again."""
        let_go(*self._arrays)

    @contextmanager
    def scattered(self) -> Iterator[None]:
        """Have little of the files read ahead, which is in vain where those who are asked about lie far apart."""
        _advise("MADV_RANDOM", *self._arrays)
        try:
            yield
        finally:
            _advise("MADV_NORMAL", *self._arrays)

    def some_words(self, most: int) -> np.ndarray:
        """Take the words of about so many events, spread evenly over all of them."""
        step = max(1, self.events // most)
        found = []
        for first in range(0, self.events, step * READ_AT_ONCE):
            found.append(np.array(self.words[first : first + step * READ_AT_ONCE : step]))
            let_go(self.words)
        return np.concatenate(found) if found else np.array(self.words)

    def part(self, first: int, last: int) -> Activities:
        """Take some of the profiles; what is mapped from files stays there."""
        begin, end = int(self.starts[first]), int(self.starts[last])
        return Activities(
            self.ids[first:last],
            self.starts[first : last + 1] - begin,
            self.times[begin:end],
            self.words[begin:end],
            self.measures[begin:end],
            self.slots[begin:end],
            None if self.spans is None else self.spans[first:last],
            self.consents and self.consents.part(first, last),
        )


def reduced(
    engine: Engine,
    events: ibis.Table,
    question: Question,
    codebook: Codebook,
    fields: Sequence[Field],
    before: dt.datetime,
) -> ibis.Table:
    """Express the activities of events before a moment; :data:`ORDER` is theirs."""
    kinds = {field.path: field for field in fields}
    past = events.filter(events.timestamp < ibis.literal(before))
    joined, words = _words(engine, past, question, codebook, kinds)
    columns: dict[str, Any] = {"who": joined.who, "t": joined.timestamp, "tie": joined["_id"].hash()}
    columns |= {f"w{place}": word for place, word in enumerate(words)}
    columns |= {f"m{place}": _measure(joined, measure) for place, measure in enumerate(codebook.measures)}
    slots = [slot for category in codebook.categories for slot in _slots(joined, category)]
    columns |= {f"c{place}": slot for place, slot in enumerate(slots)}
    return joined.select(**columns)


def _words(
    engine: Engine, events: ibis.Table, question: Question, codebook: Codebook, fields: dict[str, Field]
) -> tuple[ibis.Table, list[Any]]:
    """Give the events, joined with the codes of their texts, and one expression for each word."""
    parts: list[list[Any]] = [[] for _ in range(codebook.words)]
    texts: dict[str, dict[str, int]] = {}
    for bit, signal in enumerate(codebook.signals):
        if signal.source in {Source.EVENT_TYPE, Source.VALUE} and signal.path in fields:
            texts.setdefault(signal.path, {})[signal.value] = bit
        else:
            holds = _holds(signal, question)
            parts[bit // BITS].append(lambda table, holds=holds, bit=bit: _bit(holds(table), bit))
    for place, (path, bits) in enumerate(texts.items()):
        events, words = _with_codes(engine, events, fields[path], bits, place)
        for word, code in words:
            parts[word].append(code)
    return events, [reduce(add, [part(events) for part in word]) for word in parts]


def _bit(holds: Any, bit: int) -> Any:
    return ibis.ifelse(holds, ibis.literal(1 << bit % BITS, "int64"), ibis.literal(0, "int64"))


def _holds(signal: Signal, question: Question) -> Callable[[ibis.Table], Any]:
    """Say how a signal is decided that is no value of a text: by the question's rule or the standard's test."""
    if signal.source == Source.ANY:
        return lambda table: table.timestamp.notnull()
    if signal.source == Source.STANDARD:
        return STANDARD[signal.name].holds
    rules = {
        Source.GOAL: question.goal.events,
        Source.INCLUDE: question.population.events,
        Source.EXCLUDE: question.population.exclude,
        Source.CUSTOM: question.custom_events,
    }
    if signal.source in rules:
        return rules[signal.source][signal.place].condition.holds
    return lambda table: table.timestamp.isnull()  # of a text that no event has any more


def _with_codes(
    engine: Engine, events: ibis.Table, field: Field, bits: dict[str, int], place: int
) -> tuple[ibis.Table, list[tuple[int, Callable[[ibis.Table], Any]]]]:
    """Join a text's common values with their bits: one hash look-up instead of a comparison for each value.

    A list of one text, as most are, is looked up by that; longer ones are searched for each value.
    """
    words = sorted({bit // BITS for bit in bits.values()})
    key = f"v{place}"
    columns: dict[str, Any] = {key: list(bits)}
    for word in words:
        masks = [1 << bit % BITS if bit // BITS == word else 0 for bit in bits.values()]
        columns[f"b{place}_{word}"] = pa.array(masks, pa.int64())
    codes = engine.values(pa.table(columns))
    looked_up = events[field.path][0] if field.array else events[field.path]
    joined = events.left_join(codes, looked_up == codes[key])

    def code(table: ibis.Table, word: int) -> Any:
        alone = table[f"b{place}_{word}"].fill_null(0)
        if not field.array:
            return alone
        values = table[field.path]
        mine = ((value, bit) for value, bit in bits.items() if bit // BITS == word)
        each = reduce(add, [_bit(values.contains(value).fill_null(False), bit) for value, bit in mine])
        return ibis.ifelse(values.length() > 1, each, alone)

    return joined, [(word, partial(code, word=word)) for word in words]


def _measure(events: ibis.Table, measure: Measure) -> Any:
    if measure.path not in events.columns:
        return ibis.null("float32")
    column = events[measure.path]
    if measure.array:
        column = column.maxs() if measure.type == FieldType.MOMENT else column.sums()
    if measure.type == FieldType.MOMENT:
        column = column.epoch_seconds() / 86_400
    return column.cast("float32")


def _slots(events: ibis.Table, category: Category) -> list[Any]:
    if category.path not in events.columns:
        return [ibis.literal(NO_CODE, "int32")] * category.slots
    column = events[category.path]
    values = [column[place] for place in range(category.slots)] if category.array else [column]
    # An engine gives a hash of what is absent, too.
    codes = [ibis.ifelse(value.notnull(), (value.hash() % CATEGORY_CODES).abs(), NO_CODE) for value in values]
    return [code.cast("int32") for code in codes]


def of_one(who: str, rows: pa.Table, codebook: Codebook, consents: Consents | None = None) -> Activities:
    """Give the activities of one person, sorted by time, as arrays."""
    batch = rows.combine_chunks()
    return Activities(
        pa.array([who], pa.string()),
        np.array([0, len(rows)], np.int64),
        batch["t"].combine_chunks().view(pa.int64()).to_numpy(),
        _columns(batch, "w", codebook.words, np.int64),
        _columns(batch, "m", len(codebook.measures), np.float32),
        _columns(batch, "c", codebook.slots, np.int32),
        consents=consents,
    )


def write_part(codebook: Codebook, folder: Path, reader: pa.RecordBatchReader) -> str:
    """Stream activities into a new folder of plain arrays below another, each batch appended as it comes; name it."""
    folder = folder / PARTS / uuid.uuid4().hex
    folder.mkdir(parents=True)
    ids: list[pa.Array] = []
    counts: list[np.ndarray] = []
    with appending(folder, arrays_of(reader.schema)) as files:
        for batch in batches(reader):
            runs = pc.run_end_encode(batch["who"])
            ids.append(runs.values)
            counts.append(np.diff(runs.run_ends.to_numpy(), prepend=0))
            for name, file in files.items():
                _array(batch, name, codebook).tofile(file)
    names, sizes = _merge_runs(ids, counts)
    save_profiles(names, sizes, folder)
    return folder.name


def arrays_of(schema: pa.Schema) -> tuple[str, ...]:
    """Name the arrays that rows are left as; what orders the events of a moment is kept for who merges them later."""
    return (*ARRAYS, TIES) if "tie" in schema.names else ARRAYS


@contextmanager
def appending(folder: Path, names: Sequence[str]) -> Iterator[dict[str, BinaryIO]]:
    """Open the files of some arrays to be written."""
    with ExitStack() as over:
        yield {name: over.enter_context((folder / name).open("wb")) for name in names}


def _array(batch: pa.RecordBatch, name: str, codebook: Codebook) -> np.ndarray:
    if name in ONE_COLUMN:
        return batch[ONE_COLUMN[name]].view(pa.int64()).to_numpy()
    return _columns(batch, *_shape(name, codebook))


def save_profiles(ids: pa.Array, events: np.ndarray, folder: Path) -> None:
    """Leave who has activities, ascending, and how many."""
    np.concatenate([[0], np.cumsum(events)]).astype(np.int64).tofile(folder / STARTS)
    table = pa.table({"id": ids})
    with pa.OSFile(str(folder / IDS), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def join(parts: Sequence[str], codebook: Codebook, folder: Path) -> None:
    """Make one of the parts in a folder, in their order; what other parts there are was cut off."""
    for part in parts:
        if not (folder / PARTS / part / STARTS).exists():
            raise StorageError(
                f"What the cluster's machines left in {folder} is not there: LIKELIER_HOME has to be a folder that "
                "they all share."
            )
    first, *others = (folder / PARTS / part for part in parts)
    names = [name for name in (*ARRAYS, TIES) if (first / name).exists()]
    events, ids = [np.diff(starts_of(first))], [ids_of(first)]
    for other in others:
        events.append(np.diff(starts_of(other)))
        ids.append(ids_of(other))
        for name in names:
            with (first / name).open("ab") as whole, (other / name).open("rb") as more:
                shutil.copyfileobj(more, whole, 1 << 24)
            (other / name).unlink()
    for name in names:
        (first / name).rename(folder / name)
    save_profiles(pa.concat_arrays(ids), np.concatenate(events), folder)
    save_codebook(codebook, folder)
    shutil.rmtree(folder / PARTS, ignore_errors=True)  # a machine that was given up may still be writing there


def starts_of(folder: Path) -> np.ndarray:
    return np.fromfile(folder / STARTS, np.int64)


def codebook_of(folder: Path) -> Codebook:
    return Codebook.from_json(json.loads((folder / CODEBOOK).read_text()))


def save_codebook(codebook: Codebook, folder: Path) -> None:
    (folder / CODEBOOK).write_text(json.dumps(codebook.to_json()))


def _columns(batch: pa.RecordBatch | pa.Table, letter: str, count: int, kind: Any) -> np.ndarray:
    rows = np.empty((batch.num_rows, count), kind)
    for place in range(count):
        rows[:, place] = np.asarray(batch[f"{letter}{place}"])
    return rows


def _merge_runs(ids: list[pa.Array], counts: list[np.ndarray]) -> tuple[pa.Array, np.ndarray]:
    """Join the runs of ids of all batches: a profile may end one batch and begin the next."""
    if not ids:
        return pa.array([], pa.string()), np.array([], np.int64)
    names = pa.concat_arrays([array.cast(pa.string()) for array in ids])
    again = np.zeros(len(names), bool)
    if len(names) > 1:
        again[1:] = pc.equal(names[1:], names[:-1]).to_numpy(zero_copy_only=False)
    first = np.flatnonzero(~again)
    return names.filter(pa.array(~again)), np.add.reduceat(np.concatenate(counts), first)


def load(folder: Path) -> tuple[Activities, Codebook]:
    """Map what :func:`write` left into memory."""
    codebook = codebook_of(folder)
    return (
        Activities(
            ids_of(folder),
            starts_of(folder),
            mapped(folder, "times", codebook),
            mapped(folder, "words", codebook),
            mapped(folder, "measures", codebook),
            mapped(folder, "slots", codebook),
            np.load(folder / SPANS) if (folder / SPANS).exists() else None,
            load_consents(folder),
        ),
        codebook,
    )


def mapped(folder: Path, name: str, codebook: Codebook) -> np.ndarray:
    """Map one of the arrays in a folder into memory: a row an event."""
    file, rows = folder / name, int(starts_of(folder)[-1])
    kind, shape = _kind(name, codebook, rows)
    return np.empty(shape, kind) if 0 in shape else np.memmap(file, kind, mode="r", shape=shape)


def let_go(*arrays: np.ndarray) -> None:
    """Give back the memory that reading arrays took which are mapped from files.

    The system would do so when it runs short. Until then what was read counts as this process's, which with
    very many events looks like far more memory than the process needs, and is more than a container may have.
    """
    _advise("MADV_DONTNEED", *arrays)


def _advise(advice: str, *arrays: np.ndarray) -> None:
    """Tell the system how those of some arrays that are mapped from files will be read; not every system asks."""
    for array in arrays:
        held: Any = array
        while isinstance(held, np.ndarray):
            held = held.base
        if isinstance(held, mmap.mmap) and hasattr(mmap, advice):
            held.madvise(getattr(mmap, advice))


def _kind(name: str, codebook: Codebook, rows: int) -> tuple[Any, tuple[int, ...]]:
    if name in ONE_COLUMN:
        return np.int64, (rows,)
    _, count, kind = _shape(name, codebook)
    return kind, (rows, count)


def _shape(name: str, codebook: Codebook) -> tuple[str, int, Any]:
    """Say how the columns of an array are called in a batch, how many there are, and of what."""
    return {
        "words": ("w", codebook.words, np.int64),
        "measures": ("m", len(codebook.measures), np.float32),
        "slots": ("c", codebook.slots, np.int32),
    }[name]


def ids_of(folder: Path) -> pa.Array:
    with pa.memory_map(str(folder / IDS)) as source:
        return pa.ipc.open_file(source).read_all()["id"].combine_chunks()


def chunks(starts: np.ndarray, events: int) -> Iterator[tuple[int, int]]:
    """Cut profiles, whose activities begin at `starts`, into ranges of about so many events."""
    first, profiles = 0, len(starts) - 1
    while first < profiles:
        last = int(np.searchsorted(starts, starts[first] + events, side="right")) - 1
        last = min(max(last, first + 1), profiles)
        yield first, last
        first = last
