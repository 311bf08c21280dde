# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from rack_recipes.recipe.load import load
from rack_recipes.recipe.param_values import missing_param_parts

SECRET = "hunter2-" * 30
MASK = Mask([SECRET])
VALUES = {"site": {"vlan": 7, "ports": [1, {"name": "eth0"}], "token": SECRET}, "login": {"user": "bob"}, "name": "x"}
PARAMS = "params: {site: {type: dict}, login: {type: dict, secret: true}, name: {}}"


def found(tmp_path: Path, step: str, values: dict[str, Any] | None = None) -> list[str]:
    path = tmp_path / "r.yml"
    path.write_text(f"test_meta: {{test_id: T-1}}\n{PARAMS}\nsteps:\n  - {{name: a, module: t.ok, {step}}}\n")
    recipe = load(str(path))
    told = missing_param_parts(recipe.steps, recipe.params, VALUES if values is None else values, MASK)
    return [one.removeprefix(f"{path}:4:5: step 'a': ") for one in told]


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("args: {x: '${params.site.vlna}'}", "${params.site.vlna}: params.site has no 'vlna', did you mean vlan?"),
        (
            "args: {x: [{y: 'in ${params.site.ports.2} ${HOME} ${item_v1}'}]}",
            "${params.site.ports.2}: params.site.ports has no '2': it is a list of 2",
        ),
        ("loop: '${params.site.zz}'", "${params.site.zz}: params.site has no 'zz'; there is ports, token, vlan"),
        (
            "success: {values: [{value: '${t.x_v1}', min: '${params.site.vlan.id}'}]}",
            "${params.site.vlan.id}: params.site.vlan has no 'id': it is 7",
        ),
        (
            "args: {x: '${params.site.token.id}'}",
            "${params.site.token.id}: params.site.token has no 'id': it is \"********\"",
        ),
        ("args: {x: '${params.login.pass}'}", "${params.login.pass}: it has no such part"),
    ],
)
def test_a_part_that_is_not_there_is_told(step: str, told: str, tmp_path: Path):
    assert found(tmp_path, step) == [told]


@pytest.mark.parametrize(
    "step",
    [
        "args: {x: '${params.site.ports.1.name} ${params.site} ${params.name} ${params.login.user}'}",
        "when: {value: '${params.site.kind}', eq: a}, args: {x: '${params.site.kind}'}",
        "when: '{{ false }}', args: {x: '${params.site.kind}'}",
    ],
)
def test_what_is_there_or_may_not_be_needed_is_not(step: str, tmp_path: Path):
    assert found(tmp_path, step) == []


def test_a_parameter_whose_value_is_not_known_is_left_to_the_run(tmp_path: Path):
    assert found(tmp_path, "args: {x: '${params.site.kind}'}", {}) == []
