"""What is known about profiles, and since when."""

import datetime as dt

from likelier.events.mapping import parse_mapping

ALWAYS = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
UNDATED = parse_mapping("identity: {namespace: CRMID, value: who}\nfields: {person.age: age, person.plan: plan}")
DATED = parse_mapping(
    "identity: {namespace: CRMID, value: who}\ntimestamp: since\nfields: {person.age: age, person.plan: plan}"
)
MAY, JUNE, JULY = (dt.datetime(2024, month, 1, tzinfo=dt.UTC) for month in (5, 6, 7))


def known(desk):
    """Give who, since when, and what."""
    rows = desk.rows("people")
    return sorted(
        (row["identityMap.CRMID"], row["timestamp"], row.get("person.age"), row.get("person.plan")) for row in rows
    )


def load(desk, text, mapping=UNDATED, now=MAY):
    return desk.send(text, ".csv", name="people", kind="profiles", mapping=mapping, now=now)


def test_what_the_first_file_says_without_a_date_was_always_so(desk):
    assert load(desk, "who,age,plan\na,30,free\nb,,gold\n,1,x\n") == (2, 0, 1)
    assert known(desk) == [("a", ALWAYS, 30.0, "free"), ("b", ALWAYS, None, "gold")]
    assert desk.dataset("people").kind == "profiles"


def test_what_a_later_file_changes_is_known_since_then(desk):
    load(desk, "who,age,plan\na,30,free\nb,40,gold\n", now=MAY)
    assert load(desk, "who,age,plan\na,30,gold\nb,40,gold\nc,50,free\n", now=JUNE) == (2, 1, 0)
    assert known(desk) == [
        ("a", ALWAYS, 30.0, "free"),
        ("a", JUNE, 30.0, "gold"),
        ("b", ALWAYS, 40.0, "gold"),
        ("c", JUNE, 50.0, "free"),
    ]
    assert load(desk, "who,age,plan\na,30,gold\nc,50,free\n", now=JULY) == (0, 2, 0)
    assert load(desk, "who,age,plan\na,30,free\n", now=JULY) == (1, 0, 0)
    assert known(desk)[2] == ("a", JULY, 30.0, "free")


def test_nothing_said_changes_nothing(desk):
    load(desk, "who,age,plan\na,30,free\n")
    assert load(desk, "who,age,plan\na,,free\n", now=JUNE) == (0, 1, 0)
    assert load(
        desk, "who,age\na,30\n", now=JUNE, mapping=parse_mapping(UNDATED.text.replace(", person.plan: plan", ""))
    ) == (
        0,
        1,
        0,
    )


def test_a_new_attribute_is_known_since_its_file(desk):
    narrow = parse_mapping("identity: {namespace: CRMID, value: who}\nfields: {person.age: age}")
    load(desk, "who,age\na,30\n", narrow, MAY)
    assert load(desk, "who,age,plan\na,30,free\n", UNDATED, JUNE) == (1, 0, 0)
    assert known(desk) == [("a", ALWAYS, 30.0, None), ("a", JUNE, 30.0, "free")]


def test_a_dated_row_is_known_since_its_date(desk):
    text = "who,since,age,plan\na,2024-02-01,30,free\na,2024-03-01,30,gold\na,2024-03-01,30,gold\na,2025-01-01,1,x\n"
    assert load(desk, text, DATED) == (2, 1, 1)
    assert load(desk, text, DATED, JUNE) == (0, 3, 1)
    assert [(since.month, plan) for _, since, _, plan in known(desk)] == [(2, "free"), (3, "gold")]


def test_rows_about_the_same_moment_become_one_and_the_later_line_stands(desk):
    text = "who,since,age,plan\na,2024-02-01,30,free\na,2024-02-01,,gold\na,2024-02-01,31,\n"
    assert load(desk, text, DATED) == (1, 2, 0)
    assert [(age, plan) for _, _, age, plan in known(desk)] == [(31.0, "gold")]


def test_experience_profiles_come_as_they_are(desk):
    rows = [{"identityMap": {"CRMID": [{"id": "a"}]}, "person": {"age": 30, "plan": "free"}}]
    assert desk.send(rows, name="people", kind="profiles") == (1, 0, 0)
    assert known(desk) == [("a", ALWAYS, 30.0, "free")]
