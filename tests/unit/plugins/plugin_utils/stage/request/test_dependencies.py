# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Dependency
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.request.dependencies import as_dependency, label_of

WIRE = {"step": "wire"}


@pytest.mark.parametrize(
    ("said", "dependency", "label"),
    [
        ("wire", Dependency("wire"), "wire"),
        (WIRE, Dependency("wire"), "wire"),
        ({**WIRE, "hosts": "same"}, Dependency("wire"), "wire"),
        ({**WIRE, "hosts": "all"}, Dependency("wire", "all"), "wire on all hosts"),
        ({**WIRE, "hosts": "leafs"}, Dependency("wire", "leafs"), "wire on leafs"),
        ({**WIRE, "hosts": "all", "quorum": "80%"}, Dependency("wire", "all", "80%"), "wire on 80% of all hosts"),
        ({**WIRE, "quorum": 3}, Dependency("wire", "", 3), "wire on 3 of all hosts"),
        ({**WIRE, "hosts": "leafs", "quorum": 3}, Dependency("wire", "leafs", 3), "wire on 3 of leafs"),
    ],
)
def test_what_is_said_and_how_it_is_told(said: Any, dependency: Dependency, label: str):
    assert as_dependency(said) == dependency
    assert label_of(said) == label
