# SPDX-License-Identifier: GPL-3.0-or-later

"""What a target pays for the language: nothing but our own code is loaded, beside what every stage loads."""

from __future__ import annotations

import os
import subprocess
import sys

HERE = "ansible_collections.rack.recipes.plugins.module_utils"
LANGUAGE = f"{HERE}.language"
MODULES = ("references", "exact_numbers", "criteria", "fingerprint")
THERE = ("json", "re", "time", "bisect", "itertools", "binascii", "functools", "__future__")


def loaded_by(*modules):
    """Everything in memory of a new interpreter after these imports."""
    code = f"import sys\nfor name in {modules!r}: __import__(name)\nprint(*sys.modules)"
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE, env=env, check=True)
    return set(done.stdout.decode().split())


def test_the_language_is_cheap_to_import():
    more = loaded_by(f"{HERE}.mask", *(f"{LANGUAGE}.{name}" for name in MODULES)) - loaded_by(*THERE)
    assert {name for name in more if not name.startswith("ansible_collections")} == set()


def test_a_view_needs_none_of_it_before_something_is_checked():
    view = loaded_by("ansible_collections.rack.recipes.plugins.module_utils.context_view")
    assert not [name for name in view if name.startswith((LANGUAGE, f"{HERE}.mask", f"{HERE}.secret_names"))]
