"""What every page has: the way around, light and dark, and room for its content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from nicegui import app, context, ui

from likelier.insights.charts import DARK, LIGHT, Look, Palette, bucket_colours
from likelier.languages import COOKIE, NAMES
from likelier.ui.language import _, language
from likelier.ui.parts import UNDO, block, complain, icon, link, text, tool, unexpected
from likelier.ui.site import Site, Visitor

HERE = Path(__file__).parent
ICON = HERE / "icon.svg"
THEME = "likelier-theme"
DARK_COOKIE = "likelier-dark"


@contextmanager
def page(site: Site, title: str, *, at: str, wide: bool = False) -> Iterator[Visitor]:
    """Draw the frame of a page and leave room for its content; `at` is the address of its place in the navigation."""
    visitor = site.who()
    ui.page_title(f"{title} – likelier")
    request = context.client.request
    chosen = request.cookies.get(THEME, "auto")
    theme = ui.dark_mode({"dark": True, "light": False}.get(chosen))
    ui.run_javascript(f"live({json.dumps(language().code)})")
    ui.on_exception(lambda: complain(unexpected()))
    link(_("Skip to the content"), "#content", "skip")
    with block("header", "top"):
        with block("a", "brand", href="/", aria_label="likelier"):
            ui.html(ICON.read_text(encoding="utf-8"), sanitize=False, tag="span")
            text("likelier", "span")
        _navigation(at, visitor)
        _tools(visitor, theme, chosen)
    with block("div", f"content{' wide' if wide else ''}", id="content", tabindex="-1"):
        yield visitor
    block("div", role="status").mark(UNDO)


def _navigation(at: str, visitor: Visitor) -> None:
    places = [
        (_("Instances"), "/", "insights"),
        (_("Datasets"), "/datasets", "storage"),
        (_("Profiles"), "/profiles", "person_search"),
        (_("Segments"), "/segments", "groups"),
        (_("Alerts"), "/alerts", "notifications"),
    ]
    if visitor.may_audit:
        places.append((_("Audit"), "/audit", "history"))
    with block("nav", "places", aria_label=_("Main")):
        for name, address, sign in places:
            place = block("a", "place", href=address)
            if at == address:
                place.props("aria-current=page")
            with place:
                icon(sign)
                text(name, "span")


def _tools(visitor: Visitor, theme: ui.dark_mode, chosen: str) -> None:
    with block("div", "tools"):
        _languages()
        themes = {
            "auto": ("brightness_auto", _("as the system")),
            "light": ("light_mode", _("light")),
            "dark": ("dark_mode", _("dark")),
        }
        button = tool(themes[chosen if chosen in themes else "auto"][0], _("Light or dark"))
        with button, ui.menu().props("auto-close"):
            for name, (glyph, label) in themes.items():

                def choose(name: str = name, glyph: str = glyph) -> None:
                    theme.set_value({"dark": True, "light": False}.get(name))
                    button.set_icon(glyph)
                    _keep(THEME, name)
                    ui.run_javascript("setTimeout(tellTheme, 50)")

                with ui.menu_item(on_click=choose):
                    icon(glyph)
                    text(label.capitalize(), "span", "menu-text")
        with tool("account_circle", _("Who I am")), ui.menu(), block("div", "me"):
            text(visitor.actor.name, "b")
            text(_("May change everything") if visitor.may_manage else _("May look, not change"), "div", "soft")
            if visitor.signs_in:
                link(_("Sign out"), "/sign-out")


def _languages() -> None:
    with tool("translate", _("Language")), ui.menu().props("auto-close"):
        for code, name in NAMES.items():

            def choose(code: str = code) -> None:
                _keep(COOKIE, code)
                ui.navigate.reload()

            with ui.menu_item(on_click=choose) as item:
                text(name, "span", lang=code)
            if code == language().code:
                item.props("active aria-current=true")


def _keep(cookie: str, value: str) -> None:
    ui.run_javascript(f"document.cookie = '{cookie}={value}; path=/; max-age=31536000; samesite=lax'")


# Light and dark


def look() -> Look:
    """How charts are drawn for who looks: in the palette their browser said it shows."""
    return Look(palette(context.client.request.cookies.get(DARK_COOKIE) == "1"), _)


def palette(dark: bool) -> Palette:  # noqa: FBT001
    return DARK if dark else LIGHT


def _variables(palette: Palette) -> str:
    churn = bucket_colours("churn", palette)
    named = asdict(palette) | {"high": palette.good, "low": palette.bad}
    named |= {"churn-high": churn["high"], "churn-low": churn["low"]}
    return "".join(f"--{name}: {colour};" for name, colour in named.items())


def register() -> None:
    """Give every page the style, and the script that tells which palette is shown."""
    style = HERE / "style.css"
    version = hashlib.sha256(style.read_bytes()).hexdigest()[:12]
    app.add_static_file(local_file=style, url_path=f"/assets/{version}.css")
    ui.add_head_html(
        f"<style>:root {{ {_variables(LIGHT)} color-scheme: light; }}"
        f".body--dark {{ {_variables(DARK)} color-scheme: dark; }}</style>"
        f'<link rel="stylesheet" href="/assets/{version}.css"><script>{SCRIPT}</script>',
        shared=True,
    )


SCRIPT = f"""
function live(language) {{ // the page is connected: what is done on it from now on is heard
  Object.assign(document.documentElement, {{ lang: language }}).dataset.live = "yes";
  tellTheme();
}}
function tellTheme() {{
  const dark = document.body.classList.contains("body--dark") ? "1" : "0";
  const told = (document.cookie.match(/{DARK_COOKIE}=(.)/) || [])[1] || "0";
  document.cookie = "{DARK_COOKIE}=" + dark + "; path=/; max-age=31536000; samesite=lax";
  if (told !== dark) emitEvent("theme", dark === "1");
}}
function keepTab(name) {{ // the address leads to the tab that is open
  const here = new URL(location);
  here.searchParams.set("tab", name);
  history.replaceState(null, "", here);
}}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => setTimeout(tellTheme, 50));
"""


def when_theme_changes(redraw: Callable[[Look], None]) -> None:
    """Draw again when the browser tells that it shows the other palette."""
    ui.on("theme", lambda event: redraw(Look(palette(bool(event.args)), _)))
