# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands `new scriptlet`, `new recipe` and `new project`."""

from __future__ import annotations

import argparse
import keyword
import re
import shlex
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.cli.argument_parser import hint
from rack_recipes.cli.command_options import Answer, takes
from rack_recipes.errors import UsageError
from rack_recipes.yaml_suffixes import either

TEMPLATES = Path(__file__).with_name("templates")
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
TEST = "tests/test_@flat@.py"

NO_FILES: Mapping[str, str] = {}
Files = Mapping[str, str]  # the path of a new file -> its template; both have placeholders such as @name@

SCRIPTLETS: Mapping[str, Files] = {
    "python": {"@folder@/@path@.py": "scriptlet.py.in", TEST: "test_python.py.in"},
    "shell": {
        "@folder@/@path@.sh": "scriptlet.sh.in",
        "@folder@/@path@.yml": "scriptlet.sh.yml.in",
        TEST: "test_program.py.in",
    },
    "awk": {
        "@folder@/@path@.awk": "scriptlet.awk.in",
        "@folder@/@path@.yml": "scriptlet.awk.yml.in",
        TEST: "test_program.py.in",
    },
    "c": {
        "@folder@/@path@.c": "scriptlet.c.in",
        "@folder@/@path@.yml": "scriptlet.c.yml.in",
        TEST: "test_program.py.in",
    },
}
STEP_TYPES = {"python": "python", "shell": "shell", "awk": "shell", "c": "native"}
LIMITS = {"awk": "max_load"}  # the option that the generated test sets to a lower limit
RECIPE: Files = {"recipes/@path@.yml": "recipe.yml.in", TEST: "test_recipe.py.in"}
PROJECT: Files = {
    "ansible.cfg": "project/ansible.cfg.in",
    ".gitignore": "project/gitignore.in",
    "inventory.yml": "project/inventory.yml.in",
    "run.yml": "project/run.yml.in",
    "pytest.ini": "project/pytest.ini.in",
}


@takes(
    """
    NAME  what recipes write as `module`, such as link.errors
    --type TYPE  python (the default), shell, awk, or c: compiled on each host
    examples:
    rack-recipes new scriptlet link.errors
    rack-recipes new scriptlet disk.spin --type c
    rack-recipes debug link.errors
    """,
    type={"choices": tuple(SCRIPTLETS), "metavar": None, "default": "python"},
)
def scriptlet(options: argparse.Namespace) -> Answer:
    """Begin a scriptlet: a file that runs as it stands, and its test. No existing file is overwritten.

    The scriptlet goes into the first folder of the setting rack_recipes_scriptlets, the test into tests/.
    """
    from rack_recipes import settings

    folder = next(iter(settings.load().scriptlets))
    placeholders = _placeholders(options.name, "link.errors")
    _check_not_published(options.name)
    if options.type == "python":
        _check_importable(placeholders)
        _check_shadowing(folder, placeholders["path"])
    words = {
        **placeholders,
        "folder": folder,
        "parent": str(Path(folder).parent),
        "module": f"{Path(folder).name}.{options.name}",
        "type": STEP_TYPES[options.type],
        "limit": LIMITS.get(options.type, "max_percent"),
    }
    return _write_files(
        Path(), SCRIPTLETS[options.type], words, [f"rack-recipes debug {options.name}", _test_command(words)]
    )


@takes(
    """
    NAME  name of the recipe's file in recipes/, such as burn_in
    examples:
    rack-recipes new recipe burn_in
    rack-recipes run recipes/burn_in.yml
    """
)
def recipe(options: argparse.Namespace) -> Answer:
    """Begin a recipe that runs as it stands, and its test. No existing file is overwritten."""
    words = _placeholders(options.name, "burn_in")
    return _write_files(Path(), RECIPE, words, [f"rack-recipes run recipes/{words['path']}.yml", _test_command(words)])


@takes(
    """
    FOLDER  the project's folder, new or existing; `.` is the current one
    --from RECIPE as source  begin with this recipe of the gallery, such as acceptance, and what it includes
    examples:
    rack-recipes new project lab && cd lab && rack-recipes run recipes/first.yml
    rack-recipes new project hall --from acceptance
    """
)
def project(options: argparse.Namespace) -> Answer:
    """Begin a project: settings of Ansible, an inventory, a playbook for AWX, a first recipe with its test.

    No existing file is overwritten. Without --from the first recipe looks at the file system of each host.
    """
    folder = Path(options.folder)
    copies = _shipped_files(options.source) if options.source else {}
    recipe = next(iter(copies), "recipes/first.yml")
    files = PROJECT if copies else {**PROJECT, **RECIPE}
    enter = [f"cd {shlex.quote(str(folder))}"] if folder.resolve() != Path.cwd() else []
    hints = [*enter, f"rack-recipes run {recipe}{' --dry-run' if copies else ''}"]
    words = {**_placeholders("first", ""), "groups": _groups_of(options.source) if copies else ""}
    return _write_files(folder, files, words, hints, copies)


def _groups_of(word: str) -> str:
    """Lines of an inventory's comment, which say to what groups the hosts of a shipped recipe belong."""
    from rack_recipes.recipe.load import load
    from rack_recipes.recipe.recipe_names import PREFIX

    names = load(PREFIX + word.removeprefix(PREFIX)).hosts.split(":")
    if names == ["all"]:
        return ""
    return f"# The recipe runs on {first_few(names, len(names))}: make these groups, as `rack7` is made here.\n"


def _shipped_files(word: str) -> dict[str, str]:
    """The paths in a project of a shipped recipe and of those that it includes, with their texts. Raises UsageError."""
    from rack_recipes.recipe.load import load
    from rack_recipes.recipe.recipe_names import FOLDER, PREFIX, file_of, is_shipped, shipped_names

    name = word.removeprefix(PREFIX)
    if not is_shipped(PREFIX + name):
        known = [shipped.removeprefix(PREFIX) for shipped in shipped_names()]
        raise UsageError(f"--from: expected one of {', '.join(known)}, got {word!r}{hint(name, known)}")
    inside = {file: file.removeprefix(PREFIX).replace(".", "/") for file in load(PREFIX + name).files}
    return {f"{FOLDER}/{path}.yml": file_of(file).read_text(encoding="utf-8") for file, path in inside.items()}


def _placeholders(name: str, example: str) -> dict[str, str]:
    """Return the values of the templates' placeholders. Raises UsageError for a wrong name."""
    if not NAME.fullmatch(name):
        raise UsageError(f"expected a name of lower-case letters, digits, _ and dots, such as {example}, got {name!r}")
    parts = name.split(".")
    return {
        "name": name,
        "path": "/".join(parts),
        "flat": "_".join(parts),
        "class": "".join(part.title() for word in parts for part in word.split("_")),
        "step": parts[-1],
        "id": "-".join(parts).replace("_", "-").upper() + "-001",
        "key": f"{name}_v1",
        "awk": "#!/usr/bin/awk -f",
    }


def _check_not_published(name: str) -> None:
    """Raise UsageError for the name of a published module, which is not looked for in the project."""
    from rack_recipes.recipe.catalog.scriptlet_files import PUBLISHED, is_published

    if is_published(name):
        where = f"what begins with {PUBLISHED} is looked up in the collection, not in the project"
        raise UsageError(
            f"expected a name without {PUBLISHED}, such as {name.removeprefix(PUBLISHED)}, got {name!r}: {where}"
        )


def _check_shadowing(folder: str, path: str) -> None:
    """Raise UsageError if a folder of the same name is beside the file: Python imports one of the two only."""
    from rack_recipes.recipe.catalog.find_scriptlet import hidden_folder, hiding_file

    made = Path(folder, f"{path}.py")
    if file := hiding_file(folder, f"{path}.py"):
        raise UsageError(f"{made}: {file} would hide it from Python: rename one of them")
    if hides := hidden_folder(made):
        raise UsageError(f"{made}: it would hide the folder {hides} from Python: rename one of them")


def _check_importable(words: Mapping[str, str]) -> None:
    """Raise UsageError for a name that Python cannot import; the generated test imports the class."""
    for word in (*words["name"].split("."), words["class"]):
        if keyword.iskeyword(word):
            name = words["name"]
            raise UsageError(
                f"expected a name that Python can import, got {name!r}: {word!r} is a word of Python's own"
            )


def _test_command(words: Mapping[str, str]) -> str:
    """What runs the generated test; the package does not bring pytest."""
    begin = "" if find_spec("pytest") else "pip install pytest && "
    return f"{begin}pytest {_fill(TEST, words)}"


def _write_files(
    folder: Path, files: Files, words: Mapping[str, str], hints: Sequence[str], copies: Mapping[str, str] = NO_FILES
) -> Answer:
    """Write the files, and `copies` by their paths, or raise UsageError if any of them exists."""
    templates = {path: (TEMPLATES / template).read_text(encoding="utf-8") for path, template in files.items()}
    filled = {_fill(path, words): _fill(text, words) for path, text in templates.items()}
    wanted = {folder / path: text for path, text in {**filled, **copies}.items()}
    existing = [str(path) for path in map(either, wanted) if path.exists() or path.is_symlink()]
    if existing:
        raise UsageError(f"{', '.join(existing)}: there already, so nothing was written")
    for path, text in wanted.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        sys.stderr.write(f"made {path}\n")
    sys.stderr.writelines(["try it:\n", *(f"  {line}\n" for line in hints)])
    return {"status": "ok", "files": [*map(str, wanted)]}, 0


def _fill(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(f"@{word}@", value)
    return text
