# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes the gallery of a project and of the collection, from the documentation that stands in their files."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml

from rack_recipes.collection_path import COLLECTION
from rack_recipes.errors import CatalogError, RackError
from rack_recipes.recipe.catalog.find_scriptlet import list_scriptlets
from rack_recipes.recipe.catalog.scriptlet_files import MODULES, PUBLISHED, is_published
from rack_recipes.recipe.gallery.entry_and_search import Argument, GalleryEntry
from rack_recipes.recipe.load import load
from rack_recipes.recipe.recipe_model import Param, Recipe
from rack_recipes.recipe.recipe_names import FOLDER, FOLDERS, shipped_name
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry
from rack_recipes.yaml_suffixes import check_single, either, yaml_files

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


LANGUAGES = {".py": "Python", ".sh": "POSIX shell", ".awk": "awk", ".c": "C"}
META, SPECS = "meta", "argument_specs"  # the folder of a role, and the file in it that describes the role
Source = Literal["project", "collection"]


def whole_gallery(folders: Sequence[Path], project: Path) -> tuple[list[GalleryEntry], list[str]]:
    """Return all entries, and a line for each file of the project that is left out.

    `folders` are the project's folders of drop-ins. Recipes and roles are those below `project`, then the collection's.
    """
    listed = list_scriptlets(folders)
    classes = Counter(entry.name for entry in listed)
    scriptlets = [scriptlet(entry, is_alone=classes[entry.name] == 1) for entry in listed]
    found, left_out = [*scriptlets, *modules({entry.name for entry in scriptlets})], []
    seen: set[Path] = set()
    for path, root, source in _files(project):
        if path.resolve() not in seen:
            seen.add(path.resolve())
            try:
                found.append(_read(path, root, source, scriptlets))
            except RackError as error:
                left_out.append(str(error))
    return found, left_out


def _files(project: Path) -> Iterator[tuple[Path, Path, Source]]:
    """Yield each file of a recipe or role, with the folder that it belongs to."""
    roots: tuple[tuple[Path, Source], ...] = ((project, "project"), (COLLECTION, "collection"))
    for root, source in roots:
        recipes = (path for folder in FOLDERS for path in yaml_files(root / folder))
        metas = (path for folder in sorted(root.glob(f"roles/*/{META}")) for path in yaml_files(folder))
        for path in (*recipes, *(path for path in metas if path.stem == SPECS)):
            yield path, root, source


def _read(path: Path, root: Path, source: Source, scriptlets: Sequence[GalleryEntry]) -> GalleryEntry:
    return (role if path.parent.name == META else recipe)(path, root, source, scriptlets)


def scriptlet(entry: ScriptletEntry, *, is_alone: bool) -> GalleryEntry:
    """Return what the gallery tells of a scriptlet. `is_alone` is whether its file has no other one."""
    text = class_text(entry.path, entry.function) if entry.kind == "python" else entry.description
    sentence, details = paragraphs(text or entry.description)
    published = is_published(entry.name)
    documented = yaml.safe_load(constant(entry.path, "DOCUMENTATION")) if published else {}
    if documented:
        details = "\n\n".join(map(plain, documented["description"]))
    return GalleryEntry(
        kind="scriptlet",
        name=entry.name,
        family="rack.recipes" if published else entry.name.rpartition(".")[0] or "project",
        sentence=sentence,
        path=entry.path,
        source=entry.source,
        language=LANGUAGES.get(entry.path.suffix, "a program"),
        function="" if is_alone else entry.function,
        details=details,
        scope=entry.scope,
        arguments=_arguments(entry, documented.get("options")),
        keys={key: entry.holds.get(key, "") for key in entry.writes},
        needs=entry.needs,
        verdicts=entry.verdicts,
        example=entry.example,
        deprecated=entry.deprecated,
    )


def _arguments(entry: ScriptletEntry, documented: Mapping[str, object] | None) -> tuple[Argument, ...] | None:
    if entry.options is None:
        return None
    found = arguments_of(entry.options, documented)
    root = entry.path.parents[entry.inside.count("/") - 1]
    return completed(found, helpers(entry.path, root)) if entry.path.suffix == ".py" else found


def modules(known: set[str]) -> Iterator[GalleryEntry]:
    """Yield the modules of the collection that are no scriptlets: tasks of playbooks."""
    for path in sorted(Path(MODULES.path).glob("*.py")):
        if (name := PUBLISHED + path.stem) not in known and constant(path, "DOCUMENTATION"):
            documented = yaml.safe_load(constant(path, "DOCUMENTATION"))
            yield GalleryEntry(
                kind="module",
                name=name,
                family="rack.recipes",
                sentence=plain(documented["short_description"]),
                details="\n\n".join(map(plain, documented["description"])),
                path=path,
                source="collection",
                language="Ansible",
                arguments=arguments_of(documented.get("options", {})),
                example=constant(path, "EXAMPLES").strip(),
            )


def recipe(path: Path, root: Path, source: Source, scriptlets: Sequence[GalleryEntry]) -> GalleryEntry:
    """Return what the gallery tells of a recipe. Raises RecipeErrors."""
    loaded, name = load(str(path)), path.relative_to(root).as_posix()
    used = _scriptlets_of(loaded, scriptlets)
    return GalleryEntry(
        kind="recipe",
        name=name,
        family="recipes",
        sentence=" ".join(loaded.test_meta.description.split()).rstrip("."),
        details=_head_comment(path.read_text(encoding="utf-8")),
        path=path,
        source=source,
        arguments=tuple(_parameter(param) for param in loaded.params.values()),
        keys={key: text for entry in used for key, text in entry.keys.items()},
        needs=tuple(sorted({need for entry in used for need in entry.needs or ()})),
        example=_command(_called(path, name), loaded.params.values()),
        steps=tuple((step.name, step.module, step.hosts or loaded.hosts) for step in loaded.steps),
    )


def _scriptlets_of(loaded: Recipe, scriptlets: Sequence[GalleryEntry]) -> list[GalleryEntry]:
    """Return the entries of the scriptlets that a recipe's steps use, in the order of the steps."""
    known = {(entry.name, entry.function): entry for entry in scriptlets}
    named = [(short_name(step.module), step.function) for step in loaded.steps]
    found = (known.get((name, function)) or known.get((name, "")) for name, function in named)
    return list({(entry.name, entry.function): entry for entry in found if entry}.values())


def short_name(module: str) -> str:
    """Return the catalog's name of what a recipe names as `module`, with or without the folder `scriptlets`."""
    return module.removeprefix("scriptlets.")


def _head_comment(text: str) -> str:
    """Return the comment at the top of a YAML file as paragraphs."""
    lines: list[str] = []
    for line in text.removeprefix("---\n").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").removeprefix(" "))
    return "\n\n".join(" ".join(part.split()) for part in "\n".join(lines).split("\n\n") if part.strip())


def _parameter(param: Param) -> Argument:
    return Argument(
        name=param.name,
        type=param.type,
        default=param.default,
        required=param.required,
        choices=tuple(param.limits.get("one_of", ())),
        description=" ".join(param.description.split()),
        secret=param.secret,
    )


def _called(path: Path, name: str) -> str:
    """What a user calls a recipe by: its own name where the collection has it, else its path."""
    real = path.resolve()
    return shipped_name(real) if real.is_relative_to((COLLECTION / FOLDER).resolve()) else name


def _command(name: str, params: Any) -> str:
    words = [f"--param {param.name}={param.name.upper()}" for param in params if param.required and not param.secret]
    secret = ["--param-file secrets.yml"] if any(param.required and param.secret for param in params) else []
    return " ".join(["rack-recipes run", name, "-i inventory.yml", *words, *secret])


def role(path: Path, root: Path, source: Source, scriptlets: Sequence[GalleryEntry]) -> GalleryEntry:
    """Return what the gallery tells of a role, by its argument_specs.yml and the recipe inside. Raises RackError."""
    folder = path.parents[1]
    check_single(path)
    inside = either(folder / "files" / "recipe.yml")
    used = _scriptlets_of(load(str(inside)), scriptlets) if inside.is_file() else []
    try:
        main = yaml.safe_load(path.read_text(encoding="utf-8"))["argument_specs"]["main"]
        said = main.get("description", [])
        return GalleryEntry(
            kind="role",
            name=f"{PUBLISHED if root.samefile(COLLECTION) else ''}{folder.name}",
            family="roles",
            sentence=plain(main.get("short_description", "")).rstrip("."),
            details="\n\n".join(map(plain, [said] if isinstance(said, str) else said)),
            path=folder,
            source=source,
            arguments=arguments_of(main.get("options") or {}),
            keys={key: text for entry in used for key, text in entry.keys.items()},
            example=_first_block(folder / "README.md"),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        raise CatalogError(f"{path}: expected argument_specs with an entry point main, got {error!r}") from error


def _first_block(path: Path) -> str:
    """Return the first YAML block of a Markdown file; empty where there is none."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    return text.partition("```yaml\n")[2].partition("```")[0].strip()
