"""The pages in other languages: nothing of the English catalogue is left in a French page."""

from __future__ import annotations

import re
import string

import pytest
from playwright.sync_api import expect
from tests.ui.conftest import CHROMIUM, alive, stranger

from likelier.languages.gather import read

pytestmark = [pytest.mark.browser, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")]

LEAST = 4  # letters of a text that belongs to one language: "AUC", "Lift" and "Type" may be of both
SEEN = """() => {
  const said = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (!parent.closest("script, style, i, [lang]:not(html)")) said.push(walk.currentNode.data);
  }
  for (const each of document.querySelectorAll("[aria-label], [placeholder], [title]"))
    said.push(...["aria-label", "placeholder", "title"].map((name) => each.getAttribute(name) ?? ""));
  return said.map((each) => each.trim()).filter(Boolean);
}"""


def pattern(text):
    return re.compile(re.sub(r"\\{[^}]*\\}", "(.+)", re.escape(text)))


def texts(message):
    return [message] if isinstance(message, str) else list(message)


def english():
    """Each English text that reads otherwise in French, with how it reads there."""
    for message in read("fr"):
        for text in texts(message.id) if message.id else ():
            literal = "".join(part for part, *_ in string.Formatter().parse(text))
            if len(re.sub(r"\W", "", literal)) >= LEAST and text not in texts(message.string):
                yield pattern(text), [pattern(each) for each in texts(message.string)]


ENGLISH = list(english())


def is_english(said):
    return any(one.fullmatch(said) and not any(each.fullmatch(said) for each in other) for one, other in ENGLISH)


def left_in_english(tab):
    return sorted({said for said in tab.evaluate(SEEN) if is_english(said)})


def settled(tab, words):
    expect(tab.get_by_text(words).first).to_be_visible()
    expect(tab.get_by_role("status").and_(tab.locator(".loading"))).to_have_count(0)


@pytest.fixture(scope="module")
def walk(browser, served, home):
    """Visit pages in French, in one tab."""
    tab = stranger(browser)
    tab.set_extra_http_headers({"Accept-Language": "fr-CA"})

    def visit(path):
        browser.clear_cookies()
        tab.goto(served + path)
        alive(tab)
        return tab

    yield visit
    tab.close()


def test_english_is_told_from_french():
    assert is_english("Who is scored")
    assert is_english("1,234 customers scored.")
    assert not is_english("1 234 clients scorés.")
    assert not is_english("Total de priceTotal")


def test_instances_and_insights_are_french(walk):
    tab = walk("/")
    expect(tab.locator("html")).to_have_attribute("lang", "fr")
    settled(tab, "Réussite")
    assert left_in_english(tab) == []
    tab.get_by_role("button", name="Détails de Buy", exact=True).click()
    settled(tab, "Un client qui fait un achat d'ici 14 jours.")
    assert left_in_english(tab) == []
    tab.get_by_role("button", name="Analyses").click()
    expect(tab.get_by_text(re.compile(r"^[\d\u202f]+ clients scorés"))).to_be_visible()
    assert left_in_english(tab) == []
    tab.locator("button.factor").first.click()
    expect(tab.locator(".drill .chart svg text").first).to_be_visible()
    assert left_in_english(tab) == []
    tab.get_by_role("button", name="Fermer").click()
    tab.get_by_role("tab", name="Évaluation du modèle").click()
    expect(tab.get_by_text(re.compile(r"^Ciblez les 20"))).to_be_visible()
    tab.get_by_role("tab", name="Historique des exécutions").click()
    expect(tab.get_by_role("table", name="Exécutions")).to_be_visible()
    tab.get_by_role("tab", name="Bilan de performance").click()
    settled(tab, re.compile("rien dire|Attendu et réel"))
    assert left_in_english(tab) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/datasets", "Attributs de profil"),
        ("/datasets/shop", "Rempli sur la dernière année"),
        ("/profiles?namespace=CRMID&id=p00007", "Ce que l'on sait"),
        ("/segments", "Segments"),
        ("/alerts", "Ce qui a été constaté"),
        ("/audit", "Journal d'audit"),
        ("/instances/nowhere", "Cette instance n'existe pas"),
    ],
)
def test_other_pages_are_french(walk, path, words):
    tab = walk(path)
    expect(tab.get_by_text(words).or_(tab.get_by_label(words)).first).to_be_visible()
    expect(tab.locator(".loading")).to_have_count(0)
    assert left_in_english(tab) == []


def test_the_four_steps_are_french(walk):
    tab = walk("/instances/new")
    tab.get_by_label("Nom", exact=True).fill("Or")
    tab.get_by_role("button", name="Suivant").click()
    tab.get_by_role("checkbox", name="shop").click()
    assert left_in_english(tab) == []
    tab.get_by_role("button", name="Suivant").click()
    tab.get_by_role("combobox", name="Champ").fill("purchases.val")
    tab.get_by_role("option", name=re.compile("commerce.purchases.value")).click()
    expect(tab.get_by_text("Un client qui fait un achat d'ici 30 jours.")).to_be_visible()
    expect(
        tab.get_by_text(re.compile("Une exécution peut commencer|EXEMPLES|POPULATION|OBJECTIF")).first
    ).to_be_visible()
    assert left_in_english(tab) == []
    tab.get_by_role("button", name="Suivant").click()
    expect(tab.get_by_text("À quelle fréquence")).to_be_visible()
    assert left_in_english(tab) == []


def test_what_was_typed_wrongly_is_told_in_french(walk):
    tab = walk("/profiles?namespace=CRMID&id=nobody")
    expect(tab.get_by_text(re.compile("On ne sait rien de .+nobody"))).to_be_visible()
    assert left_in_english(tab) == []
    tab = walk("/datasets")
    tab.get_by_role("button", name="Envoyer un fichier").first.click()
    file = {"name": "visites.csv", "mimeType": "text/csv", "buffer": b"customer_id,timestamp\nc1,2024-05-01\n"}
    tab.locator("input[type=file]").set_input_files(file)
    tab.get_by_label("Jeu de données", exact=True).fill("a/b")
    tab.get_by_role("button", name="Charger").click()
    expect(tab.get_by_text(re.compile("Un jeu de données ne peut pas s'appeler .+a/b"))).to_be_visible()


def test_the_language_is_switched_and_remembered(look, served):
    tab = look("/datasets")
    tab.get_by_role("button", name="Language").click()
    tab.get_by_text("Português", exact=True).click()
    expect(tab.get_by_role("heading", name="Conjuntos de dados")).to_be_visible()
    tab.goto(served + "/segments")
    alive(tab)
    expect(tab.get_by_role("heading", name="Segmentos", exact=True)).to_be_visible()
