# SPDX-License-Identifier: GPL-3.0-or-later

"""Recipes with their graph and parameters, and the gallery of scriptlets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from rack_recipes.errors import RackError, UsageError, nearest
from rack_recipes.plan.compile.playbook_file import plan_of
from rack_recipes.plan.plan_model import Plan
from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry, search
from rack_recipes.recipe.gallery.read_gallery import whole_gallery
from rack_recipes.recipe.recipe_model import Step
from rack_recipes.recipe.recipe_names import FOLDERS
from rack_recipes.report.charts.chart_elements import LETTER, Chart, element, label, picture
from rack_recipes.report.table_model import Column, Table, to_json
from rack_recipes.web.actions import start_run
from rack_recipes.web.page_model import Asked, Page, Section, page_address, table

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource
DOWN, GAP, HIGH, LETTERS = 36, 46, 24, 24
COLUMNS = (Column("step", "Step"), Column("stage", "Stage", "number"), Column("after", "After"))


def graph_of(recipe: Path) -> tuple[Chart | None, str]:
    """The graph of a recipe, or why it cannot be planned."""
    try:
        plan = plan_of(str(recipe))
    except RackError as error:
        return None, str(error)
    after = {one.name: _needs(one) for stage in plan.stages for one in stage.steps}
    return Chart(_picture(after), _figures(plan)), ""


def _needs(step: Step) -> tuple[str, ...]:
    """The steps that a step waits for."""
    return (*dict.fromkeys([*(one.step for one in step.depends_on), *step.after]),)


def _figures(plan: Plan) -> Table:
    rows = tuple(
        (one.name, stage.number, ", ".join(_needs(one)) or None) for stage in plan.stages for one in stage.steps
    )
    return Table("graph", "Graph", COLUMNS, rows, "The steps with the stage of each, and those that it waits for.")


def layers(after: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """By step how many steps must end before it at least, one after the other; `after` is in an order that can run."""
    found: dict[str, int] = {}
    for step, needs in after.items():
        found[step] = 1 + max((found[one] for one in needs if one in found), default=-1)
    return found


def _picture(after: Mapping[str, Sequence[str]]) -> Markup:
    columns = layers(after)
    wide = [
        max(min(len(step), LETTERS) for step, own in columns.items() if own == column) * LETTER + 18
        for column in range(max(columns.values(), default=-1) + 1)
    ]
    rows = dict.fromkeys(range(len(wide)), 0)
    places: dict[str, tuple[float, float, float]] = {}
    for step, column in columns.items():
        places[step] = sum(wide[:column]) + GAP * column + 2, rows[column] * DOWN + 6, wide[column]
        rows[column] += 1
    width, height = sum(wide) + GAP * len(wide), max(rows.values(), default=1) * DOWN + 6
    title = f"{len(after):,} steps, and what each waits for"
    return picture("graph", width, height, title, *_edges(after, places), *_nodes(places))


def _edges(after: Mapping[str, Sequence[str]], places: Mapping[str, tuple[float, float, float]]) -> Iterator[Markup]:
    for step, needs in after.items():
        to, down, _wide = places[step]
        for left, top, wide in (places[one] for one in needs if one in places):
            start, middle = left + wide, top + HIGH / 2
            end, half = down + HIGH / 2, (left + wide + to) / 2
            path = f"M{start:.1f} {middle:.1f}C{half:.1f} {middle:.1f} {half:.1f} {end:.1f} {to:.1f} {end:.1f}"
            yield element("path", d=path, class_="edge")


def _nodes(places: Mapping[str, tuple[float, float, float]]) -> Iterator[Markup]:
    for step, (left, top, wide) in places.items():
        place = {"x": f"{left:.1f}", "y": f"{top:.1f}", "width": f"{wide:.1f}", "height": HIGH, "rx": 5}
        yield element("rect", element("title", step), **place, class_="node")
        yield element("text", label(step, LETTERS), x=f"{left + 9:.1f}", y=f"{top + HIGH / 2:.1f}")


PROJECT = start_run.PROJECT
Row = Mapping[str, Any]
ENTRIES = (
    Column("name", "Name"),
    Column("sentence", "What it does"),
    Column("language", "Language"),
    Column("source", "From"),
)
ARGUMENTS = (
    Column("name", "Name"),
    Column("type", "Type"),
    Column("unit", "Unit"),
    Column("default", "Default"),
    Column("choices", "Choices"),
    Column("description", "What it is"),
)
STEPS = (Column("name", "Step"), Column("module", "Scriptlet"), Column("hosts", "Hosts"))
PAIRS = (Column("name", "Name"), Column("text", "What it is"))


def _entries(source: PageSource) -> Sequence[GalleryEntry]:
    return _gallery(source)[0]


def _gallery(source: PageSource) -> tuple[Sequence[GalleryEntry], Sequence[str]]:
    """All entries, and why files are left out; they are read again when a file has changed."""
    folders = [*(source.project / folder for folder in FOLDERS), *source.scriptlets]
    files = sorted(path for folder in folders if folder.is_dir() for path in folder.rglob("*") if path.is_file())
    stamp = tuple((str(path), path.stat().st_mtime_ns) for path in files)
    known = source.kept.get(("gallery", stamp))
    found: tuple[Sequence[GalleryEntry], Sequence[str]] = known or source.keep(
        ("gallery", stamp), whole_gallery(source.scriptlets, source.project)
    )
    return found


def _faulty_recipes(source: PageSource) -> list[dict[str, str]]:
    """A row for each recipe of the project that cannot be read, with its first mistake."""
    faults = [why.removeprefix(f"{source.project}/") for why in _gallery(source)[1]]
    told = ((why.partition(":")[0], why.splitlines()[0]) for why in faults if why.startswith(FOLDERS))
    return [{"name": name, "sentence": f"error: {why}", "language": "", "source": PROJECT} for name, why in told]


def recipes(source: PageSource, asked: Asked) -> Page:
    """The recipes of the project and of the collection."""
    return _listed(source, asked, "recipe", "Recipes")


def scriptlets(source: PageSource, asked: Asked) -> Page:
    """The scriptlets that recipes here can use; with `?q=` those with these words."""
    return _listed(source, asked, "scriptlet", "Scriptlets")


def _listed(source: PageSource, asked: Asked, kind: str, title: str) -> Page:
    words = asked.query.get("q", "").split()
    found = [one for one in search(_entries(source), words) if one.kind == kind]
    if not words:
        found.sort(key=lambda one: (one.source != PROJECT, one.name, one.function))
    folder = f"{kind}s"
    rows: list[Row] = [
        {"name": _name(one), "sentence": one.sentence, "language": one.language, "source": one.source} for one in found
    ]
    faulty = _faulty_recipes(source) if kind == "recipe" and not words else []
    rows[:0] = faulty

    def address(row: Row) -> str:
        return "" if row in faulty else page_address(folder, str(row["name"]))

    listed = table(folder, title, ENTRIES, rows, {"name": address})
    told = {"listed": listed, "query": asked.query, "folder": folder, "found": len(found)}
    return Page(title, "gallery.html.j2", told=told, data={folder: rows})


def _name(entry: GalleryEntry) -> str:
    return f"{entry.name}:{entry.function}" if entry.function else entry.name


def _entry(source: PageSource, kind: str, name: str) -> GalleryEntry:
    found = [one for one in _entries(source) if one.kind == kind]
    known = {_name(one): one for one in sorted(found, key=lambda one: one.source == PROJECT)}  # its own win
    if name not in known:
        near = nearest(name, [*known])
        raise UsageError(f"there is no {kind} {name[:120]!r}{f' (did you mean {near!r}?)' if near else ''}")
    return known[name]


def one_recipe(source: PageSource, asked: Asked) -> Page:
    """A recipe: the graph of its steps, its parameters, how to run it, its text."""
    entry = _entry(source, "recipe", asked.names["name"])
    rows = [{"name": name, "module": module, "hosts": hosts} for name, module, hosts in entry.steps]
    short = {_name(one): one for one in _entries(source) if one.kind == "scriptlet"}

    def to_scriptlet(row: Row) -> str:
        name = str(row["module"]).removeprefix("scriptlets.")
        return page_address("scriptlets", name) if name in short else ""

    chart, problem = graph_of(Path(entry.path))
    sections = [
        Section("about", "What it does", entry.details, facts=[("In short", entry.sentence, "")]),
        Section(
            "graph",
            "Graph",
            problem or "Steps from left to right; an arrow leads to what depends on a step.",
            chart=chart,
        ),
        Section("steps", "Steps", table=table("steps", "Steps", STEPS, rows, {"module": to_scriptlet})),
        *_arguments("Parameters", entry.arguments),
        *_start(source, entry, asked, problem),
        Section("run", "How to run it", text=entry.example, open=True),
        Section("text", "The recipe", text=Path(entry.path).read_text(encoding="utf-8", errors="replace")),
    ]
    return Page(entry.name, sections=sections, above=(("Recipes", "/recipes"),), about=entry.sentence)


def _start(source: PageSource, entry: GalleryEntry, asked: Asked, problem: str) -> list[Section]:
    """The form that starts a recipe; none where it has a mistake, which `problem` tells."""
    form = None if problem else start_run.start_form(source, entry, asked)
    return [Section("start", form.title, form.about, form=form)] if form else []


def start_recipe(source: PageSource, asked: Asked) -> Page:
    """Start a recipe of the project."""
    return start_run.start(source, _entry(source, "recipe", asked.names["name"]), asked)


def one_scriptlet(source: PageSource, asked: Asked) -> Page:
    """A scriptlet: arguments, keys that it sets, how it ends, an example."""
    entry = _entry(source, "scriptlet", asked.names["name"])
    facts = [("Language", entry.language, ""), ("From", entry.source, ""), ("Scope", entry.scope, "")]
    if entry.needs:
        facts.append(("Needs", ", ".join(entry.needs), ""))
    if entry.deprecated:
        facts.append(("Deprecated", entry.deprecated, ""))
    sections = [
        Section("about", "What it does", entry.details, facts=facts),
        *_arguments("Arguments", entry.arguments),
        *_pairs("keys", "Keys that it sets", entry.keys),
        *_pairs("verdicts", "How it ends, besides passed", entry.verdicts),
        *([Section("example", "Example", text=entry.example, open=True)] if entry.example else []),
    ]
    return Page(_name(entry), sections=sections, above=(("Scriptlets", "/scriptlets"),), about=entry.sentence)


def _arguments(title: str, arguments: Sequence[Argument] | None) -> list[Section]:
    if not arguments:
        return []
    rows = [
        {
            "name": f"{one.name} *" if one.required else one.name,
            "type": one.type,
            "unit": one.unit or None,
            "default": None if one.default is None or one.secret else to_json(one.default),
            "choices": ", ".join(map(str, one.choices)) or None,
            "description": one.description,
        }
        for one in arguments
    ]
    return [Section("arguments", title, "Those with * must be given.", table("arguments", title, ARGUMENTS, rows, {}))]


def _pairs(name: str, title: str, pairs: Mapping[str, str]) -> list[Section]:
    rows = [{"name": one, "text": text} for one, text in pairs.items()]
    return [Section(name, title, table=table(name, title, PAIRS, rows, {}))] if rows else []
