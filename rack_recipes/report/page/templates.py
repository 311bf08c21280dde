# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates of the page, and the parts of it that a project replaces by its own."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from rack_recipes.errors import UsageError
from rack_recipes.report.charts import chart_style
from rack_recipes.report.charts.number_words import seconds
from rack_recipes.report.format_values import visible
from rack_recipes.report.page.rack_picture import address
from rack_recipes.report.page.template_cache import user_cache

STATIC = Path(__file__).parents[1] / "writers" / "static"
PAGE = "report.html.j2"
SCRIPTS = (
    "elements", "columns", "inflate", "data", "windowed_table", "detail", "results", "host", "tables", "pictures",
    "paper", "routes", "start",
)  # fmt: skip
"""The files of the page's script, in the order in which they are joined."""

OWN_STYLE = "style.css"
LOGOS = {"logo.svg": "image/svg+xml", "logo.png": "image/png"}
MOST_LOGO = 200_000
"""A logo with more bytes is refused, since it is in every report."""


def environment(folders: Sequence[Path], *, is_cached: bool = True) -> SandboxedEnvironment:
    """What reads templates from these folders, of which the first one wins. All text is escaped and made visible."""
    made = SandboxedEnvironment(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]), autoescape=True,
        undefined=StrictUndefined, finalize=_printed, trim_blocks=True, lstrip_blocks=True,
        bytecode_cache=user_cache() if is_cached else None,
    )  # fmt: skip
    made.filters |= {"duration": seconds, "address": address}
    return made


class Templates:
    """The templates of the page; the files of a project's folder win over ours of the same name.

    Text is escaped in all of them. A template of a project is sandboxed: it reaches the tables and nothing else.
    """

    def __init__(self, own: str = "") -> None:
        """`own` is the folder of the project. Raises UsageError where it is named and is no folder."""
        self._own = Path(own) if own else None
        if self._own and not self._own.is_dir():
            raise UsageError(f"report_templates: there is no folder {own}")
        folders = [self._own, STATIC] if self._own else [STATIC]
        self._environment = environment(folders, is_cached=self._own is None)

    def render(self, **told: Any) -> str:
        """The page. Raises UsageError that names the template which is wrong."""
        try:
            return self._environment.get_template(PAGE).render(**told)
        except (TemplateError, TypeError, ValueError) as error:
            if self._own is None:
                raise
            raise UsageError(f"report_templates: {_place(error, self._own)}: {error}") from error

    def style(self) -> str:
        """The style sheet, with the project's own at its end."""
        return chart_style.page_css() + _read(STATIC / "report.css") + (self._own_text(OWN_STYLE) if self._own else "")

    def script(self) -> str:
        """The script. A project has none of its own: the page's policy would refuse it."""
        parts = "".join(_read(STATIC / "scripts" / f"{name}.js") for name in SCRIPTS)
        return f'"use strict";\n(() => {{\n{parts}}})();\n'

    def logo(self) -> str:
        """The project's logo as a `data:` address; "" where there is none. Raises UsageError for a huge one."""
        paths = [(self._own / name, kind) for name, kind in LOGOS.items()] if self._own else []
        for path, kind in paths:
            if path.is_file():
                data = path.read_bytes()
                if len(data) > MOST_LOGO:
                    raise UsageError(f"report_templates: {path} has {len(data):,} bytes, at most {MOST_LOGO:,} will do")
                return f"data:{kind};base64,{b64encode(data).decode()}"
        return ""

    def _own_text(self, name: str) -> str:
        path = (self._own or STATIC) / name
        return _read(path).replace("</style", "<\\/style") if path.is_file() else ""


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _printed(value: Any) -> Any:
    """Make invisible characters visible in all that a template prints; Jinja escapes it afterwards."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _place(error: Exception, folder: Path) -> str:
    """The template, and its line where it is known."""
    name = getattr(error, "name", None)
    line = getattr(error, "lineno", None)
    if name:
        return f"{folder / str(name)}, line {line}" if line else str(folder / str(name))
    trace, found = error.__traceback__, str(folder)
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file.endswith(".j2"):
            found = f"{file}, line {trace.tb_lineno}"
        trace = trace.tb_next
    return found
