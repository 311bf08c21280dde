# SPDX-License-Identifier: GPL-3.0-or-later

"""The templates of reports, and what a project replaces by its own."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined, TemplateError, meta
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from rack_recipes.errors import UsageError, nearest
from rack_recipes.report.charts import chart_elements
from rack_recipes.report.format_values import seconds, visible
from rack_recipes.report.page.hosts_by_rack import address
from rack_recipes.report.tables.host_table import COLUMNS_FILE

STATIC = Path(__file__).parents[1] / "writers" / "static"
PAGE, PDF_PAGE = "report.html.j2", "report.pdf.html.j2"
MARKDOWN = ("report.md.j2", "report-full.md.j2")
SCRIPTS = (
    "elements", "columns", "inflate", "data", "windowed_table", "detail", "results", "host", "tables", "pictures",
    "paper", "routes", "start",
)  # fmt: skip
"""The files of the page's script, in the order in which they are joined."""
OWN_STYLE = "style.css"
LOGOS = {"logo.svg": "image/svg+xml", "logo.png": "image/png"}
NOT_GIVEN = "(not given)"
MOST_LOGO = 200_000
"""A logo with more bytes is refused, since it is in every report."""


class DataFirst(SandboxedEnvironment):
    """A sandbox in which `tables.values` is the table of this name, not the method of a dict."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """A key of the data wins over a method of the same name."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)


def make_environment(folders: Sequence[Path], plain: Callable[[str], str] | None = None) -> DataFirst:
    """What reads templates from these folders, of which the first one wins. All text is escaped and made visible.

    `plain` escapes a text that a template prints; without it HTML is made.
    """
    made = DataFirst(
        loader=ChoiceLoader([FileSystemLoader(folder) for folder in folders]), autoescape=plain is None,
        undefined=StrictUndefined, finalize=partial(_printed, plain or visible), trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"duration": seconds, "address": address}
    return made


class Templates:
    """The templates of the page; the files of a project's folder win over ours of the same name.

    Text is escaped in all of them. A template of a project is sandboxed: it reaches the tables and nothing else.
    """

    def __init__(self, own: str = "") -> None:
        """`own` is the folder of the project. Raises UsageError where it is named and is no folder."""
        self._own = own_folder(own)
        folders = [self._own, STATIC] if self._own else [STATIC]
        self._environment = make_environment(folders)

    def has(self, name: str) -> bool:
        """Whether the project has a file of this name."""
        return self._own is not None and (self._own / name).is_file()

    def render(self, page: str = PAGE, **told: Any) -> str:
        """The page, from a template of the project or from ours. Raises UsageError that names a template of its own."""
        with _naming_template(self._own):
            return self._environment.get_template(page if self.has(page) else PAGE).render(**told)

    def style(self) -> str:
        """The style sheet, with the project's own at its end."""
        return (
            chart_elements.page_css() + _read(STATIC / "report.css") + (self._own_text(OWN_STYLE) if self._own else "")
        )

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


def render_markdown(own: str, name: str, plain: Callable[[str], str], **told: Any) -> str:
    """The text of a project's template for Markdown, "" where it has none of this name. Raises UsageError.

    What the template prints goes through `plain`, except for what is Markup: our own parts of the file.
    """
    folder = own_folder(own)
    if folder is None or not (folder / name).is_file():
        return ""
    with _naming_template(folder):
        return make_environment([folder], plain=plain).get_template(name).render(**told)


def own_folder(own: str) -> Path | None:
    """The project's folder of templates, None where it names none. Raises UsageError where there is no such folder."""
    if own and not Path(own).is_dir():
        raise UsageError(f"report_templates: there is no folder {own}")
    return Path(own) if own else None


def unknown_files(own: str) -> Iterator[str]:
    """A line for each file in the project's folder that no report uses, with the name that was probably meant.

    Files that other templates there include are used, and what is hidden or called README is nobody's mistake.
    """
    folder = own_folder(own)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()] if folder else []
    ours = (str(path.relative_to(STATIC)) for path in STATIC.rglob("*.j2"))
    used = {OWN_STYLE, COLUMNS_FILE, PDF_PAGE, *LOGOS, *MARKDOWN, *ours}
    known = used | {name for path in files if path.suffix == ".j2" for name in _included(path)}
    for path in files:
        name = str(path.relative_to(folder or path))
        if name not in known and not name.startswith((".", "README")):
            near = nearest(name, sorted(used))
            yield f"report_templates: {path}: no report uses a file of this name" + (
                f", did you mean {near}?" * bool(near)
            )


def _included(path: Path) -> Iterator[str]:
    with suppress(TemplateError, ValueError):  # told when it is rendered
        parsed = SandboxedEnvironment().parse(_read(path))
        yield from filter(None, meta.find_referenced_templates(parsed))


@contextmanager
def _naming_template(own: Path | None) -> Iterator[None]:
    try:
        yield
    except (TemplateError, TypeError, ValueError) as error:
        if own is None:
            raise
        raise UsageError(f"report_templates: {_place(error, own)}: {error}") from error


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _printed(plain: Callable[[str], str], value: object) -> Any:
    """Make invisible characters visible in all that a template prints; Jinja escapes HTML afterwards.

    What is not there is told so: no reader should see Python's word for it.
    """
    if value is None:
        return NOT_GIVEN
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value


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
