# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads the words of documentation that stand in files: of Python without running it, and in Ansible's own format."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rack_recipes.recipe.gallery.gallery_entry import Argument

SHARED = "ARGUMENTS"  # the table of a helper: name of an argument -> its description, unit and source
MARKUP = re.compile(r"\b(?:C|V|O|M|I|B|RV|P)\(([^)]*)\)")


def paragraphs(text: str) -> tuple[str, str]:
    """Return the first line of a docstring, and its other paragraphs with one line each."""
    first, _newline, rest = text.strip().partition("\n")
    parts = [" ".join(part.split()) for part in re.split(r"\n\s*\n", rest.strip())]
    return first.rstrip("."), "\n\n".join(part for part in parts if part)


def class_text(path: Path, function: str) -> str:
    """Return the docstring of a class in a Python file, empty where there is none."""
    found = (node for node in parsed(path).body if isinstance(node, ast.ClassDef) and node.name == function)
    return next((ast.get_docstring(node) or "" for node in found), "")


def constant(path: Path, name: str) -> Any:
    """Return the literal that a Python file gives to a name at its top, None where it gives none."""
    for node in parsed(path).body:
        if isinstance(node, ast.Assign) and any(isinstance(to, ast.Name) and to.id == name for to in node.targets):
            return ast.literal_eval(node.value)
    return None


def helpers(path: Path, root: Path) -> list[Path]:
    """Return the files below `root`, a folder of scriptlets, that a Python file imports, and those that they import."""
    found: list[Path] = []
    waiting = [path]
    while waiting:
        for node in parsed(waiting.pop()).body:
            module = node.module if isinstance(node, ast.ImportFrom) else None
            file = root.parent / f"{(module or '').replace('.', '/')}.py"
            if module and module.startswith("scriptlets.") and file.is_file() and file not in found:
                found.append(file)
                waiting.append(file)
    return found


def completed(arguments: Iterable[Argument], files: Iterable[Path]) -> tuple[Argument, ...]:
    """Return the arguments; those that say nothing of themselves are described by the helpers that read them."""
    shared: dict[str, Mapping[str, str]] = {}
    for file in files:
        shared = {**(constant(file, SHARED) or {}), **shared}
    return tuple(_described(argument, shared.get(argument.name, {})) for argument in arguments)


def _described(argument: Argument, said: Mapping[str, str]) -> Argument:
    return replace(
        argument,
        description=argument.description or said.get("description", ""),
        unit=argument.unit or said.get("unit", ""),
        source=argument.source or said.get("source", ""),
    )


def arguments_of(options: Mapping[str, Any], documented: Mapping[str, Any] | None = None) -> tuple[Argument, ...]:
    """Return the arguments of an Ansible argument spec; `documented` has the descriptions that are not in it."""
    return tuple(_argument(name, {**(documented or {}).get(name, {}), **spec}) for name, spec in options.items())


def _argument(name: str, spec: Mapping[str, Any]) -> Argument:
    kind = spec.get("type", "str")
    return Argument(
        name=name,
        type=f"list of {spec['elements']}" if spec.get("elements") else kind,
        unit=spec.get("unit", ""),
        default=spec.get("default"),
        required=bool(spec.get("required")),
        choices=tuple(spec.get("choices") or ()),
        description=plain(spec.get("description", "")),
        source=spec.get("source", ""),
        secret=bool(spec.get("no_log")),
    )


def plain(text: str | list[str]) -> str:
    """Return a description in Ansible's format as Markdown of one line."""
    lines = [text] if isinstance(text, str) else text
    return MARKUP.sub(r"`\1`", " ".join(" ".join(lines).split()))


@cache
def parsed(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file."""
    return ast.parse(path.read_bytes())
