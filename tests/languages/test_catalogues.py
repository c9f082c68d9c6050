"""Every text that people read is there in every language, whole and with the same places for values."""

from __future__ import annotations

import ast
import string

import pytest

from likelier import errors
from likelier.activities.codes import Category, Codebook, Measure, Signal, Source, Trait
from likelier.conditions.algebra import where
from likelier.conditions.text import read_condition
from likelier.datasets import Field, FieldType
from likelier.errors import UsageError
from likelier.events.ingest import check_name
from likelier.events.mapping import parse_mapping
from likelier.features.defaults import default_features
from likelier.instance import make_instance
from likelier.languages import NAMES, Language, chosen
from likelier.languages.gather import SOURCES, gather, read
from likelier.phrases import day, join, number, say, say_many
from likelier.profiles.pql import read_pql
from likelier.profiles.text import Names
from likelier.service.exports import Destination
from likelier.timespan import parse_moment

TRANSLATED = [code for code in NAMES if code != "en"]


@pytest.fixture(scope="module")
def texts():
    return [message for message in gather() if message.id]


def forms(text):
    return [text] if isinstance(text, str) else list(text)


def places(text):
    return {(name, form) for _, name, form, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("code", TRANSLATED)
def test_no_text_is_missing_and_none_is_left_over(code, texts):
    there = {str(message.id): message.string for message in read(code) if message.id}
    wanted = {str(message.id) for message in texts}
    assert sorted(wanted - set(there)) == [], "run python -m likelier.languages.gather, then translate"
    assert sorted(set(there) - wanted) == [], "run python -m likelier.languages.gather"
    assert [each for each, said in there.items() if not all(form.strip() for form in forms(said))] == []


@pytest.mark.parametrize("code", TRANSLATED)
def test_translations_have_the_same_places_for_values(code):
    wrong = []
    for message in (each for each in read(code) if each.id):
        known = set().union(*(places(form) for form in forms(message.id)))
        needed = places(forms(message.id)[-1])
        said = [places(form) for form in forms(message.string)]
        if said[-1] != needed or not all(each <= known for each in said):
            wrong.append((message.id, message.string))
    assert wrong == []


def test_every_name_that_features_give_is_known():
    codebook = Codebook(
        (Signal("any event", Source.ANY), Signal("purchases", Source.STANDARD), Signal("home", Source.VALUE)),
        (Measure("price", "price", FieldType.NUMBER), Measure("due", "due", FieldType.MOMENT)),
        (Category("page", "page"),),
        (Trait("birthday", "birthday", FieldType.MOMENT),),
    )
    features = default_features(codebook, [0, 1, 2], history_days=400, outcome_days=30)
    english, french = Language.of("en"), Language.of("fr")
    for name in {*features.names, *features.factors}:
        assert english.factor(name) == name
        assert french.factor(name) != name, name
    assert french.factor("tier") == "tier"


def test_phrases_are_said_in_parts():
    said = say("{deed} within {days}", deed=say("makes a purchase"), days=say_many("{n} day", "{n} days", 30))
    assert said == "makes a purchase within 30 days"
    assert Language.of("fr").say(said) == "fait un achat d'ici 30 jours"
    assert Language.of("es").say(said) == "hace una compra en un plazo de 30 días"
    assert Language.of("pt").say(join([said, "–", number(0.5, ".1%")])) == "faz uma compra dentro de 30 dias – 50,0%"


def test_names_that_people_gave_stay_as_they_are():
    french = Language.of("fr")
    assert (
        french.say(say("{name}: not in {datasets}", name="Goal", datasets="{n} days")) == "Goal\xa0: absent de {n} days"
    )


def test_dates_and_numbers_are_written_as_people_do():
    assert [Language.of(code).say(day("2024-03-09T00:00:00Z")) for code in NAMES] == [
        "9 Mar 2024",
        "9 mars 2024",
        "9 mar 2024",
        "9 de mar. de 2024",
    ]
    assert [Language.of(code).number(1234567.5, ",.1f") for code in NAMES] == [
        "1,234,567.5",
        "1\u202f234\u202f567,5",
        "1.234.567,5",
        "1.234.567,5",
    ]


@pytest.mark.parametrize(
    ("cookie", "accepted", "spoken"),
    [
        ("", "", "en"),
        ("", "fr-CA,fr;q=0.9,en;q=0.5", "fr"),
        ("", "en;q=0.1, pt-BR;q=0.7", "pt"),
        ("es", "fr", "es"),
        ("tlh", "de, *;q=0.5", "en"),
        ("", "fr;q=x, es", "es"),
    ],
)
def test_the_language_is_the_one_chosen_or_the_one_liked_best(cookie, accepted, spoken):
    assert chosen(cookie, accepted) == spoken


ROOMS = ("conditions", "events", "exports", "instance", "pipeline", "profiles", "runs", "service")
NOT_ON_PAGES = {
    "service/backups.py": "the command line",
    "service/intake.py": "REST",
    "service/privacy.py": "REST and the command line",
    "service/retention.py": "the command line",
    "service/workspace.py": "the server's own settings",
}
NAMES_A_KIND = {"UnknownNameError", "RunError"}  # their first argument is no sentence
OURS = {name for name, each in vars(errors).items() if isinstance(each, type)} - NAMES_A_KIND


def raised_without_a_phrase(file):
    """Lines where an error of ours is raised with a text that no catalogue can know."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        called, text = getattr(node.func, "id", getattr(node.func, "attr", "")), node.args[0]
        if called in OURS and isinstance(text, ast.JoinedStr | ast.Constant | ast.BinOp):
            yield f"{file.name}:{node.lineno}: {ast.unparse(text)}"


def test_what_the_pages_refuse_is_said_in_phrases():
    files = [file for room in ROOMS for file in sorted((SOURCES / room).rglob("*.py"))]
    looked_at = [file for file in files if file.relative_to(SOURCES).as_posix() not in NOT_ON_PAGES]
    assert [line for file in looked_at for line in raised_without_a_phrase(file)] == []


FIELDS = {"page": Field("page", FieldType.TEXT), "price": Field("price", FieldType.NUMBER)}


@pytest.mark.parametrize(
    ("wrong", "in_french"),
    [
        (lambda: where(FIELDS["price"], "starts_with", "3"), "« price » contient\xa0: des nombres"),
        (lambda: where(FIELDS["price"], "equals", "3"), 'contient\xa0: des nombres\xa0; "3" est un texte. Écrivez-le'),
        (
            lambda: read_condition("pricy > 3", FIELDS),
            "Au caractère 1 (pricy)\xa0: « pricy »\xa0: champ introuvable. Vouliez",
        ),
        (lambda: parse_moment("soon"), "« soon » n'est pas une date. Écrivez-la comme 2011-11-01"),
        (
            lambda: parse_mapping("identity: 3", say("the mapping")),
            "la correspondance\xa0: identity s'écrit {namespace:",
        ),
        (
            lambda: read_pql("tier like 3", Names(attributes={"tier": Field("tier", FieldType.TEXT)})),
            "Au caractère 6 (« like ») : like n'a pas d'équivalent dans une règle.".replace(" :", "\xa0:"),
        ),
        (lambda: make_instance({}, say("the instance")), "l'instance a 5 erreurs\xa0:\n  name manque. Écrivez un nom"),
        (lambda: check_name(None, "a/b", "events"), "Un jeu de données ne peut pas s'appeler « a/b »"),
        (lambda: Destination("nowhere"), "« nowhere » n'est pas une destination"),
    ],
)
def test_what_was_typed_wrongly_is_told_in_french(wrong, in_french):
    with pytest.raises(UsageError) as refused:
        wrong()
    said = Language.of("fr").say(str(refused.value))
    assert in_french.replace("« ", "«\xa0").replace(" »", "\xa0»") in said
    assert Language.of("en").say(str(refused.value)) == str.__str__(str(refused.value))
