# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the library of this collection, the Python package `rack-recipes`, is installed beside Ansible.

A plugin imports what it needs of the library in a block, and asks when it is used:

    with Library() as library:
        from rack_recipes.run.current_run import current
    ...
    library.check(AnsibleActionFail)
"""

from __future__ import annotations

import re
import sys
from importlib import import_module, metadata, util

NAME, PACKAGE = "rack_recipes", "rack-recipes"  # of the library, and of what pip installs
VERSION = "0.1.0"
BEFORE_VERSION = re.compile(r"[A-Za-z0-9._-]+")


class Library:
    """A block that imports from the library. Where that fails, whoever uses the plugin is told, not who loads it."""

    def __init__(self) -> None:
        self._error = ""

    def __enter__(self) -> Library:  # noqa: PYI034 - Python 3.9 has no Self
        return self

    def __exit__(self, _kind: object, error: object, _traceback: object) -> bool:
        if isinstance(error, ImportError):
            self._error = str(error)
        return isinstance(error, ImportError)

    def check(self, raised: type[Exception]) -> None:
        """Raise the error of this class, with what to do, where the library cannot be used."""
        problem = problem_of(self._error)
        if problem:
            raise raised(problem)


def problem_of(error: str) -> str:
    """Why the library cannot be used, and the command that mends it; empty where it can.

    `error` is what an import of it has said, empty where it went well.
    """
    found = _installed()
    if found == VERSION and not error:
        return ""
    if found is None:
        what = f"the Python package {PACKAGE} {VERSION} is not installed"
    elif found != VERSION:
        what = f"this collection ({__file__}) needs {PACKAGE} {VERSION}, and {_place()} is {found}"
    else:
        what = f"packages that {PACKAGE} needs are missing: {', '.join(_missing()) or error}"
    return f"{what}. Install it for the Python of Ansible: {sys.executable} -m pip install {PACKAGE}=={VERSION}"


def _installed() -> str | None:
    """The version of the library that Python finds, None for none."""
    try:
        return str(import_module(f"{NAME}.version").VERSION)
    except ImportError:
        return None


def _place() -> str:
    spec = util.find_spec(NAME)
    return str(spec.origin) if spec else ""


def _missing() -> list[str]:
    """The packages that the library needs always and that are not installed."""
    needed = [text for text in metadata.requires(PACKAGE) or () if "extra ==" not in text]
    names = [found.group() for found in map(BEFORE_VERSION.match, needed) if found]
    return [name for name in names if not _has(name)]


def _has(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
