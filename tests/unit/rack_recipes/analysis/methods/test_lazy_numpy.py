# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rack_recipes.analysis.methods import lazy_numpy

METHODS = Path(lazy_numpy.__file__).parent
ANALYSERS = METHODS.parent


@pytest.mark.parametrize("name", lazy_numpy.__all__)
def test_the_names_are_numpy_s(name: str):
    assert getattr(lazy_numpy, name) is getattr(np, name)


def test_other_names_are_unknown():
    with pytest.raises(AttributeError, match="no_such_name"):
        lazy_numpy.no_such_name  # noqa: B018


def test_every_method_can_be_imported_without_numpy():
    """As Ansible's own checks do."""
    package = "rack_recipes.analysis"
    names = [f"{package}.methods.{path.stem}" for path in sorted(METHODS.glob("*.py"))]
    names += [f"{package}.{path.stem}" for path in sorted(ANALYSERS.glob("*.py"))]
    code = f"import sys, importlib as i; sys.modules['numpy'] = None; [i.import_module(name) for name in {names}]"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
