# SPDX-License-Identifier: GPL-3.0-or-later

"""Which texts of a step a shell reads: `${HOME}` is the shell's own there, and a value in it may be a command."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rack_recipes.recipe.recipe_model import Path

# The arguments that a shell gets as a text; of other modules only where they themselves call a shell with `-c`.
TEXTS = ("_raw_params", "cmd", "free_form")
SHELLS = {"shell": TEXTS, "raw": TEXTS, "script": TEXTS, "cron": ("job",)}
CALLS_SHELL = re.compile(r"(?:^|[\s/])(?:ba|da|a|k|z|c|tc)?sh\s+(?:-\S+\s+)*-\w*c\b")
# Arguments in which `${HOME}` stands for a variable of the environment: Ansible fills it in, or a scriptlet's shell.
COMMAND = (*TEXTS, "argv")
SCRIPTS = (*TEXTS, "command", "script")


def commands(kind: str, module: str, args: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """The texts among a step's arguments that a shell runs, with their paths."""
    given = {name: value for name, value in args.items() if isinstance(value, str)}
    names = SHELLS.get(_short(module), ()) if kind == "ansible" else ()
    for name, text in given.items():
        if name in names or (name in TEXTS and CALLS_SHELL.search(text)):
            yield ("args", name), text
    words = args.get("argv")
    if isinstance(words, (list, tuple)) and all(isinstance(word, str) for word in words):
        for place, word in enumerate(words[1:], start=1):
            if CALLS_SHELL.search(" ".join(words[:place])) and not CALLS_SHELL.search(" ".join(words[: place - 1])):
                yield ("args", "argv", place), word


def has_variables(kind: str, module: str, name: str, value: object) -> bool:
    """Whether `${HOME}` in the value of an argument is meant for a shell, or for what fills in its variables."""
    of_ansible = COMMAND if _short(module) == "command" else SHELLS.get(_short(module), ())
    names = of_ansible if kind == "ansible" else SCRIPTS
    words = value if isinstance(value, list) else [value]
    return name in names or bool(CALLS_SHELL.search(" ".join(word for word in words if isinstance(word, str))))


def _short(module: str) -> str:
    return module.removeprefix("ansible.builtin.").removeprefix("ansible.legacy.")
