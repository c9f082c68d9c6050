"""Self-contained pages.

A page opens from a disk with no network and keeps its meaning without scripts and on paper: every chart has its
table in the HTML, and a script only folds the tables away and draws. Its security policy allows nothing from outside
and no script but the page's own, so a hostile name in a dataset stays a name even if an escape were ever missed.

Apache ECharts is taken from the NiceGUI package, compressed and written into the page; NiceGUI itself is not imported.
"""

from __future__ import annotations

import base64
import functools
import gzip
import hashlib
import importlib.util
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup

from likelier.insights import charts, words
from likelier.insights.charts import DARK, LIGHT, Look, Option
from likelier.phrases import day, number

THEMES = (("light", LIGHT), ("dark", DARK))


def page(
    template: str,
    options: Callable[[Look], Mapping[str, Option]],
    *,
    propensity_type: str,
    gains_points: Sequence[tuple[float, float]] = (),
    **given: Any,
) -> str:
    """Render a template as a page; `options` gives the charts by the names of their places, in a look."""
    script = _asset("report.js")
    return (
        environment()
        .get_template(template)
        .render(
            words=words,
            charts=charts,
            style=Markup(_asset("report.css")),  # noqa: S704 - our own file
            script=Markup(script),  # noqa: S704 - our own file
            script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
            library=_library(),
            library_exports=_bundle()[1],
            palettes=dict(THEMES),
            colours={name: charts.bucket_colours(propensity_type, palette) for name, palette in THEMES},
            options={name: options(Look(palette)) for name, palette in THEMES},
            gains_points=gains_points,
            **given,
        )
    )


def count(value: float | None) -> str:
    return "–" if value is None else number(value)


def safe_markdown(text: Any) -> str:
    r"""Write a text of the data so that Markdown takes it for nothing but text.

    >>> print(safe_markdown("[a](http://x) <b>\n# | _c_"))
    \[a\](http://x) \<b\> \# \| \_c\_
    """
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", " ".join(str(text).split()))


@functools.cache
def environment() -> Environment:
    """Where the templates are, with the ways to write numbers."""
    found = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters |= {
        "percent": charts.percent,
        "times": charts.times,
        "brief": charts.brief,
        "day": day,
        "count": count,
        "safe_markdown": safe_markdown,
        "breakable": lambda name: Markup(".<wbr>").join(str(name).split(".")),
    }
    return found


@functools.cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")


@functools.cache
def _library() -> str:
    """ECharts, compressed, as base64 text: a third of its size, and nothing in it can end a script element."""
    return base64.b64encode(gzip.compress(_bundle()[0].read_bytes(), mtime=0)).decode()


@functools.cache
def _bundle() -> tuple[Path, str]:
    """Find the file that holds ECharts in the NiceGUI package, and the name it is exported by.

    The package's ``index.js`` reads ``import{aS as a,aT as r}from"./index-DlVyZyb_.js";export{a as echarts,...}``;
    the names change with each of its builds.
    """
    package = importlib.util.find_spec("nicegui")  # found, not imported: the engine stays free of web servers
    if package is None or package.origin is None:
        raise FileNotFoundError("The report draws with the ECharts of the package nicegui, which is not installed.")
    folder = Path(package.origin).parent / "elements" / "echart" / "dist"
    index = (folder / "index.js").read_text(encoding="utf-8")
    local = re.search(r"(\w+) as echarts\b", index)
    source = re.search(r'from\s*"\./([^"]+)"', index)
    exported = re.search(rf"([\w$]+) as {local[1]}\b", index) if local else None
    if not (local and source and exported):
        raise ValueError(f"{folder / 'index.js'} does not say where ECharts is; expected nicegui 3.18 or like it.")
    return folder / source[1], exported[1]
