# SPDX-License-Identifier: GPL-3.0-or-later

"""Hooks of mkdocs: what is right on GitHub becomes right on the site, which has its pages as Markdown, too.

mkdocs.yml names this file. mkdocs calls each function by its name.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import griffe
from pymdownx.slugs import slugify

sys.path.append(str(Path(__file__).parents[2]))
from hatch_build import with_addresses

FENCE = re.compile(r"^( *```)(\w+) (.+)$", re.MULTILINE)
PICTURE = re.compile(r"^```mermaid\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NODE = re.compile(r'^ +(\w+)\["<b>\w+</b>(?:<br>)?(.*)"\]$', re.MULTILINE)
NEED = re.compile(r"^ +(\w+) -->\|(.*)\| (\w+)$", re.MULTILINE)
NAME = re.compile(r"^::: (\S+)$", re.MULTILINE)
EXAMPLE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
TRIED = re.compile(r"^>>> (?:.+\n?)+", re.MULTILINE)
TITLE = re.compile(r"^# (.+)$", re.MULTILINE)


def with_fences(docstring: str) -> str:
    """A docstring whose examples are code in Markdown, too."""
    return TRIED.sub(lambda found: f"```pycon\n{found[0].rstrip()}\n```\n", docstring)


class FencedExamples(griffe.Extension):  # type: ignore[misc, unused-ignore]
    """The same for what mkdocstrings reads."""

    def on_object(self, *, obj: griffe.Object, **_more: Any) -> None:
        if obj.docstring:
            obj.docstring.value = with_fences(obj.docstring.value)


made: dict[str, str] = {}  # the Markdown of each page, by its path


def on_config(config: Any) -> Any:
    """Put all pages of the gallery behind its first one, and give headings the addresses that they have on GitHub.

    A release sets SITE_VERSIONS to mike, which keeps the site of each version. Without it no list of versions is asked
    for.
    """
    config["extra"]["version"] = {"provider": os.environ.get("SITE_VERSIONS", "")}
    config["mdx_configs"]["toc"]["slugify"] = slugify(case="lower")
    first = "gallery/README.md"
    pages = sorted(path.name for path in (Path(config["docs_dir"]) / "gallery").glob("*.md"))
    for part in config["nav"]:
        for each in next(iter(part.values())):
            if isinstance(each, dict) and each.get("Gallery") == [first]:
                each["Gallery"] += [f"gallery/{name}" for name in pages if f"gallery/{name}" != first]
    return config


def on_page_markdown(markdown: str, page: Any, **_more: Any) -> str:
    """Make the Markdown of a page that of the site."""
    path = page.file.src_uri
    markdown = with_addresses(markdown, f"docs/{path}", "main", lambda other: other.startswith("docs/"))
    made[path] = NAME.sub(lambda found: _documented(found[1]), markdown)
    return FENCE.sub(_fence, PICTURE.sub(lambda found: _parts(found[1]), markdown))


def _fence(found: re.Match[str]) -> str:
    """The first line of an example: a file's name becomes its title, a word for our tests goes."""
    return f'{found[1]}{found[2]} title="{found[3]}"' if "." in found[3] else f"{found[1]}{found[2]}"


def _parts(picture: str) -> str:
    """A list of what a picture shows, since the program that draws it would come from elsewhere."""
    needs = {part: f"needs {of}: {how}" for of, how, part in NEED.findall(picture)}
    parts = ((name, "; ".join(filter(None, (inside, needs.get(name))))) for name, inside in NODE.findall(picture))
    return "\n".join(f"1. **{name}**{f': {told}' if told else ''}" for name, told in parts)


def _documented(name: str) -> str:
    """A public name with its parameters and its docstring."""
    module, _dot, own = name.rpartition(".")
    documented = getattr(import_module(module), own)
    is_error = isinstance(documented, type) and issubclass(documented, Exception)  # whose signature is Python's own
    signature = "" if is_error else f"`{own}{inspect.signature(documented)}`\n\n"
    return f"### {own}\n\n{signature}{with_fences(inspect.getdoc(documented) or '')}"


def on_post_build(config: Any, **_more: Any) -> None:
    """Write each page's Markdown beside it, and llms.txt, which lists them."""
    site = Path(config["site_dir"])
    for path, markdown in made.items():
        (site / path).write_text(markdown, encoding="utf-8")
    lines = [f"# {config['site_name']}", f"> {config['site_description']}"]
    for part in config["nav"]:
        lines += [f"## {title}\n\n{_list(inside)}" for title, inside in part.items()]
    (site / "llms.txt").write_text("\n\n".join([*lines, ""]), encoding="utf-8")


def _list(inside: Any) -> str:
    """The pages of a part of the navigation, each with its title and first sentence."""
    if isinstance(inside, str):
        title = TITLE.search(made[inside])
        return f"- [{title[1] if title else inside}]({inside}): {_first_sentence(made[inside])}"
    if isinstance(inside, Mapping):
        return "\n".join(map(_list, inside.values()))
    return "\n".join(map(_list, inside))


def _first_sentence(markdown: str) -> str:
    text = EXAMPLE.sub("", TITLE.sub("", markdown, count=1))
    paragraphs = (" ".join(each.split()) for each in text.split("\n\n"))
    first = next(each for each in paragraphs if each and not each.startswith(("#", "<", "|", "!", "- ")))
    return re.split(r"(?<=[.:]) (?=[A-Z`\[])", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", first))[0]
