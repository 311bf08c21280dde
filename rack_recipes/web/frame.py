# SPDX-License-Identifier: GPL-3.0-or-later

"""What every page stands in, and how its template becomes HTML: the components and colours are those of the report."""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2.sandbox import SandboxedEnvironment

from rack_recipes.report import format_values
from rack_recipes.report.charts import chart_elements
from rack_recipes.report.page.templates import STATIC as OF_REPORT
from rack_recipes.report.page.templates import make_environment
from rack_recipes.report.writers.html import words
from rack_recipes.web.page_model import Page, page_address
from rack_recipes.web.sign_in import Visitor

STATIC = Path(__file__).parent / "static"
SHARED_SCRIPTS = ("elements", "columns", "data", "windowed_table", "results", "pictures")
"""Parts of the report's script that pages use as they are."""

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
PLACES = (
    ("Runs", "/runs"),
    ("Hosts", "/hosts"),
    ("Keys", "/keys"),
    ("Trends", "/trends"),
    ("Recipes", "/recipes"),
    ("Scriptlets", "/scriptlets"),
)


@cache
def _templates() -> SandboxedEnvironment:
    made = make_environment([STATIC, OF_REPORT])
    made.globals |= {**words(), "at": page_address, "places": PLACES, "version": version, "live_looks": live_looks}
    return made


def render(page: Page, path: str, visitor: Visitor | None = None) -> str:
    """The HTML of a page; `path` is its address, `visitor` who looks at it, None for a stranger."""
    template = _templates().get_template(page.template)
    return template.render(page=page, path=path, visitor=visitor, **page.told)


@cache
def files() -> dict[str, tuple[str, bytes]]:
    """The files that pages refer to: media type and content."""
    scripts = [*(OF_REPORT / "scripts" / f"{name}.js" for name in SHARED_SCRIPTS), STATIC / "run.js"]
    of_run = "".join(['"use strict";\n(() => {\n', *map(_read, scripts), "})();\n"])
    style = (
        format_values.css() + chart_elements.page_css() + _read(OF_REPORT / "report.css") + _read(STATIC / "pages.css")
    )
    return {
        "pages.css": ("text/css; charset=utf-8", style.encode()),
        "pages.js": ("text/javascript; charset=utf-8", _read(STATIC / "pages.js").encode()),
        "live.js": ("text/javascript; charset=utf-8", _read(STATIC / "live.js").encode()),
        "run.js": ("text/javascript; charset=utf-8", of_run.encode()),
    }


@cache
def version(name: str) -> str:
    """A part of the address of a file that changes with its content."""
    return sha256(files()[name][1]).hexdigest()[:12]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def live_looks() -> dict[str, Any]:
    """The symbols of verdicts, for the script of a live run."""
    told = format_values.for_script()
    return {name: told[name] for name in ("symbols", "other")}
