# SPDX-License-Identifier: GPL-3.0-or-later

"""Which Python of a host runs the executor.

The one that the user has set, or the first one there that is new enough.

The host's shell looks for it in the command that also runs it. So it costs no round trip of its own.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any

from ansible import constants
from ansible.utils.display import Display
from ansible.utils.plugin_docs import get_versioned_doclink

SETTING = "INTERPRETER_PYTHON"
FACT = "discovered_interpreter_python"
TO_BE_FOUND = ("", "auto", "auto_silent", "auto_legacy", "auto_legacy_silent")  # the last two in ansible-core 2.20
POSIX_SHELLS = ("sh", "ash", "bash", "dash", "ksh", "zsh")

# What the host's stderr says. A login shell may write there, too.
TRIES = "rack.recipes tries "
BEGUN = "rack.recipes has begun"
NONE_FOUND = "rack.recipes finds no Python of "
UNSUITABLE = 96  # the exit code of the program where Python is too old for it; nothing has been read from stdin by then
NOTE = re.compile(rf"(?:{re.escape(TRIES)}.*|{re.escape(BEGUN)})\r?\n?")

# One that cannot be started (126, 127) has read nothing, either: the next one is tried. No login shell may find
# anything to expand here, not even csh, so there are no `!`, backslashes and newlines.
SEARCH = (
    'c=; for p in {names}; do command -v "$p" >/dev/null || continue; p=$(command -v "$p");'
    ' case $p in /*) ;; *) continue ;; esac; echo "{tries}$p" >&2; "$p" {arguments}; c=$?;'
    " case $c in {unsuitable}|126|127) ;; *) exit $c ;; esac; done;"
    " [ $c ] || echo {none} >&2; exit ${{c:-127}}"
)

EXPECTED_CHANGE = (
    "Host {host!r} is using the discovered Python interpreter at {path!r}, but future installation of another Python "
    "interpreter could cause a different interpreter to be discovered."
)
MISSING = "No python interpreters found for host {host!r} (tried {names!r})."
PAGE = "reference_appendices/interpreter_discovery.html"


def python_setting(variables: Mapping[str, object], template: Callable[[Any], Any]) -> str:
    """What the user has set for a host: a path, or one of `TO_BE_FOUND`.

    `variables` are the host's. Ansible's order holds: variable, environment, ansible.cfg. `template` fills in a value.
    """
    return str(template(constants.config.get_config_value(SETTING, variables=variables)) or "")


def python_names(variables: Mapping[str, object]) -> list[str]:
    """The names and paths that Ansible looks for on a host without a setting, in this order."""
    return list(map(str, constants.config.get_config_value(f"{SETTING}_FALLBACK", variables=variables)))


def search_command(names: Sequence[str], arguments: str, shell: str = "sh") -> str:
    """The command that runs the first suitable Python of `names` with `arguments`, which are quoted already.

    `shell` is the one that Ansible lets run the command. One that is not POSIX's hands it to one that is.
    """
    none = shlex.quote(NONE_FOUND + ", ".join(names))
    quoted = " ".join(map(shlex.quote, names))
    search = SEARCH.format(names=quoted, tries=TRIES, arguments=arguments, unsuitable=UNSUITABLE, none=none)
    return search if PurePath(shell).name in POSIX_SHELLS else f"/bin/sh -c {shlex.quote(search)}"


def tried_pythons(output: str) -> list[tuple[str, str]]:
    """The path of each Python that the search has tried, with what was written until it tried the next one."""
    parts = (part.partition("\n") for part in output.split(TRIES)[1:])
    return [(path.rstrip("\r"), said) for path, _end, said in parts]


def found_python(output: str) -> str:
    """The path of the Python that has begun, by what the search has written; empty where there is none."""
    return next((path for path, said in tried_pythons(output) if BEGUN in said), "")


def without_notes(output: str) -> str:
    """The output without the lines that the search and the program have written about Python."""
    return NOTE.sub("", output)


def warn_of_discovery(host: str, path: str, names: Sequence[str]) -> None:
    """Warn as Ansible does of a Python that was found: it may be another one next time. `path` is empty for none."""
    if path:
        more = f"See {get_versioned_doclink(PAGE)} for more information."
        Display().warning(EXPECTED_CHANGE.format(host=host, path=path), help_text=more)
    else:
        Display().warning(MISSING.format(host=host, names=list(names)))
