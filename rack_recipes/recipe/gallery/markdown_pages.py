# SPDX-License-Identifier: GPL-3.0-or-later

"""The gallery as pages of Markdown: an index, and a page for each family."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from textwrap import indent

from rack_recipes.recipe.gallery.entry_and_search import KINDS, Argument, GalleryEntry
from rack_recipes.recipe.gallery.read_gallery import short_name

INDEX = "README.md"
TITLES = {"scriptlet": "Scriptlets", "recipe": "Recipes", "role": "Roles", "module": "Modules for playbooks"}
FENCES = {"recipe": "text"}
WELCOME = (
    "All scriptlets, recipes and roles that come with rack.recipes, from their own documentation. "
    "`rack-recipes scriptlets WORD` searches them. [The library](../library.md) says what to take for which test."
)
ID = "TRY-001"  # the test_id of an example


def pages(entries: Sequence[GalleryEntry], written_by: str) -> dict[str, str]:
    """Return the text of each page by the name of its file. `written_by` is the command that makes them."""
    note = f"<!-- written by {written_by} from what is documented in the files themselves -->"
    ordered = sorted(entries, key=lambda entry: (entry.family, entry.name, entry.function))
    families = {family: list(some) for family, some in groupby(ordered, lambda entry: entry.family)}
    linked = {entry.name: link(entry) for entry in ordered}
    texts = {file_of(family): _page(family, some, linked) for family, some in families.items()}
    return {name: f"{note}\n\n{text}\n" for name, text in {INDEX: _index(ordered), **texts}.items()}


def file_of(family: str) -> str:
    """Return the file's name of a family's page."""
    return f"{family.replace('.', '_')}.md"


def title(entry: GalleryEntry) -> str:
    """Return the heading of an entry: its name, and the function where its file has several."""
    return f"{entry.name} {entry.function}".strip()


def link(entry: GalleryEntry) -> str:
    """Return the address of an entry, beside the index."""
    return f"{file_of(entry.family)}#{re.sub(r'[^a-z0-9_ -]', '', title(entry).lower()).replace(' ', '-')}"


def _index(entries: Sequence[GalleryEntry]) -> str:
    parts = [
        "# Gallery",
        WELCOME,
    ]
    for kind in KINDS:
        rows = [
            f"| [`{title(entry)}`]({link(entry)}) | {cell(entry.sentence)} |" for entry in entries if entry.kind == kind
        ]
        parts += [f"## {TITLES[kind]}", table(("name", "what it does"), rows)] if rows else []
    return "\n\n".join(parts)


def _page(family: str, entries: Sequence[GalleryEntry], linked: Mapping[str, str]) -> str:
    kinds = {entry.kind for entry in entries}
    rows = [f"| [`{title(entry)}`](#{link(entry).partition('#')[2]}) | {cell(entry.sentence)} |" for entry in entries]
    head = f"# {TITLES['recipe'] if kinds == {'recipe'} else TITLES['role'] if kinds == {'role'} else family}"
    back = f"[All of the gallery]({INDEX})"
    return "\n\n".join([head, back, table(("name", "what it does"), rows), *(section(one, linked) for one in entries)])


def section(entry: GalleryEntry, linked: Mapping[str, str]) -> str:
    """Return the section of an entry. `linked` has the address of each entry by its name."""
    parts = [f"## {title(entry)}", f"{entry.sentence}.", entry.details, *_facts(entry)]
    parts += [*_steps(entry, linked), *_arguments(entry), *_keys(entry), *_verdicts(entry), *_example(entry)]
    return "\n\n".join(part for part in parts if part)


def _facts(entry: GalleryEntry) -> Iterator[str]:
    if entry.deprecated:
        yield f"Deprecated: {entry.deprecated}."
    facts = {"Language": entry.language if entry.kind == "scriptlet" else ""}
    facts["Runs"] = "once for the run (`scope: run`)" if entry.scope == "run" else ""
    facts["Keys"] = ", ".join(f"`{key}`" for key in entry.keys) if entry.kind == "recipe" else ""
    facts["Needs"] = "; ".join(entry.needs or ()) or ("nothing" if entry.kind == "scriptlet" else "")
    said = [f"- {name}: {text}" for name, text in facts.items() if text]
    if said:
        yield "\n".join(said)


def _steps(entry: GalleryEntry, linked: Mapping[str, str]) -> Iterator[str]:
    if entry.steps:
        rows = [f"| `{name}` | {_linked(module, linked)} | `{cell(hosts)}` |" for name, module, hosts in entry.steps]
        yield table(("step", "scriptlet or module", "hosts"), rows)


def _linked(module: str, linked: Mapping[str, str]) -> str:
    name = short_name(module)
    return f"[`{name}`]({linked[name]})" if name in linked else f"`{module}`"


def _arguments(entry: GalleryEntry) -> Iterator[str]:
    if entry.arguments is None:
        yield "It takes any argument."
    elif entry.arguments:
        rows = [_row(argument) for argument in entry.arguments]
        yield table(("argument", "type", "unit", "default", "meaning"), rows)


def _row(argument: Argument) -> str:
    choices = f" One of {', '.join(f'`{choice}`' for choice in argument.choices)}." if argument.choices else ""
    source = f" Default: {_sentence(argument.source)}" if argument.source else ""
    secret = " A secret: it is shown nowhere." if argument.secret else ""
    text = cell(f"{_sentence(argument.description)}{choices}{source}{secret}".strip())
    return f"| `{argument.name}` | {argument.type} | {cell(argument.unit)} | {_default(argument)} | {text} |"


def _sentence(text: str) -> str:
    return text if not text or text.endswith((".", "?", "!")) else f"{text}."


def _default(argument: Argument) -> str:
    if argument.required:
        return "required"
    return "" if argument.default is None else cell(f"`{json.dumps(argument.default, ensure_ascii=False)}`")


def _keys(entry: GalleryEntry) -> Iterator[str]:
    if entry.keys and entry.kind in ("scriptlet", "role"):
        rows = [f"| `{key}` | {cell(_sentence(text))} |" for key, text in entry.keys.items()]
        yield table(("key that it sets", "what it holds"), rows)


def _verdicts(entry: GalleryEntry) -> Iterator[str]:
    if entry.verdicts:
        rows = [f"| `{verdict}` | {cell(_sentence(text))} |" for verdict, text in entry.verdicts.items()]
        yield table(("verdict besides `passed`", "when"), rows)


def _example(entry: GalleryEntry) -> Iterator[str]:
    if entry.example:
        yield f"```{FENCES.get(entry.kind, 'yaml shown')}\n{example(entry)}\n```"


def example(entry: GalleryEntry) -> str:
    """Return the example as it is printed: for a scriptlet a whole recipe."""
    if entry.kind != "scriptlet":
        return entry.example
    return f"test_meta: {{test_id: {ID}}}\nsteps:\n{indent(entry.example, '  ')}"


def table(titles: Sequence[str], rows: Sequence[str]) -> str:
    """Return a table of Markdown; the rows are complete."""
    return "\n".join([f"| {' | '.join(titles)} |", f"|{' --- |' * len(titles)}", *rows])


def cell(text: str) -> str:
    """Return a text that stays in its cell."""
    return text.replace("|", "\\|")
