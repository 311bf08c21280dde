# SPDX-License-Identifier: GPL-3.0-or-later

"""What a target pays for each start: modules that the executor must do without, each some milliseconds.

What a target pays for the language: nothing but our own code is loaded, beside what every stage loads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache

import pytest

HERE = "ansible_collections.rack.recipes.plugins.module_utils"
POLL = (f"{HERE}.runner.main",)
STAGE = (*POLL, f"{HERE}.executor.stage_run", f"{HERE}.executor.child.program_by_scriptlet_kind")
# What only some stages need: each costs the others nothing.
RARE = (
    *(f"{HERE}.executor.{name}" for name in ("child.sandbox", "looped_step", "step.retries_and_hooks")),
    *(f"{HERE}.executor.process.{name}" for name in ("process_control", "trace_processes")),
    *(f"{HERE}.{name}" for name in ("language.criteria", "language.exact_numbers", "mask")),
)
SLOW = {
    "argparse",
    "ast",
    "asyncio",
    "contextlib",
    "ctypes",
    "dataclasses",
    "datetime",
    "difflib",
    "importlib.util",
    "inspect",
    "logging",
    "pathlib",
    "pickle",
    "random",
    "shutil",
    "socket",
    "string",
    "subprocess",
    "tempfile",
    "textwrap",
    "threading",
    "tokenize",
    "traceback",
    "typing",
    "urllib",
    "uuid",
    "zipfile",
}


@cache
def loaded_by(*modules):
    """Everything in memory of a new interpreter after these imports."""
    code = f"import sys\nfor name in {modules!r}: __import__(name)\nprint(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, env=env, check=True)
    return set(done.stdout.decode().split())


@pytest.mark.parametrize("modules", [POLL, (*STAGE, *RARE)], ids=["poll", "stage"])
def test_the_executor_is_cheap_to_import(modules):
    assert not loaded_by(*modules) & SLOW


def test_a_poll_does_without_what_runs_steps():
    assert not loaded_by(*POLL) & {*STAGE[1:], f"{HERE}.executor.process.attempt", "resource", *RARE}


def test_a_stage_does_without_what_only_others_need():
    assert not loaded_by(*STAGE) & set(RARE)


LANGUAGE = f"{HERE}.language"
MODULES = ("references", "exact_numbers", "criteria", "fingerprint")
THERE = ("json", "re", "time", "bisect", "itertools", "binascii", "functools", "__future__")


def test_the_language_is_cheap_to_import():
    more = loaded_by(f"{HERE}.mask", *(f"{LANGUAGE}.{name}" for name in MODULES)) - loaded_by(*THERE)
    assert {name for name in more if not name.startswith("ansible_collections")} == set()


def test_a_view_needs_none_of_it_before_something_is_checked():
    view = loaded_by("ansible_collections.rack.recipes.plugins.module_utils.context_view")
    assert not [name for name in view if name.startswith((LANGUAGE, f"{HERE}.mask", f"{HERE}.secret_names"))]
