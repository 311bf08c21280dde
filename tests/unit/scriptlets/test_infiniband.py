# SPDX-License-Identifier: GPL-3.0-or-later

"""InfiniBand ports, on files of sysfs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

TREES = yaml.safe_load(Path(__file__).with_name("infiniband_trees.yml").read_text(encoding="utf-8"))
PORT = "mlx5_0/ports/1/"
Run = Callable[..., Any]


@pytest.fixture
def run(scriptlet: Any, rack_context: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A function that runs the scriptlet on a tree; `later` are files that change between its two looks."""

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = tmp_path / "sys/class/infiniband" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{text}\n", encoding="ascii")

    def run(tree: str, changed: dict[str, str], later: dict[str, str], **params: Any) -> Any:
        write({**TREES[tree], **changed})
        module = scriptlet("infiniband.ports")
        monkeypatch.setattr(module.time, "sleep", lambda _seconds: write(later))
        return rack_context.run(module.InfinibandPorts, {"root": str(tmp_path), **params})

    return run


@table("tree", "params")
def test_healthy_ports(run, tree, params):
    assert run(tree, {}, {}, **params).reason == ""


@pytest.mark.parametrize(
    ("changed", "later", "params", "says"),
    [
        ({}, {}, {"expected": 8}, "2 ports are active, expected 8: look at the cards"),
        ({PORT + "state": "1: DOWN", PORT + "phys_state": "2: Polling"}, {}, {}, "mlx5_0/1 is DOWN (Polling): there"),
        ({PORT + "state": "2: INIT"}, {}, {}, "mlx5_0/1 is INIT (LinkUp): the link is up and no subnet manager"),
        ({PORT + "state": "1: DOWN", PORT + "phys_state": "3: Disabled"}, {}, {}, "the port is switched off"),
        ({}, {}, {"min_gbps": 400}, "mlx5_1/1 runs at 100 of 400 Gbit/s: reseat, clean or replace its"),
        ({}, {}, {"firmware": "28.43.*"}, "mlx5_0/1 has firmware 28.41.1000, expected 28.43.*: update the card's"),
        ({}, {PORT + "counters/symbol_error": "7"}, {}, "mlx5_0/1 has counted symbol_error 7 within 1 s: clean"),
        ({PORT + "counters/link_downed": "3"}, {}, {"max_downs": 2}, "mlx5_0/1 has lost its link 3 times: reseat its"),
    ],
)  # fmt: skip
def test_what_is_wrong_and_what_to_do(run, changed, later, params, says):
    outcome = run("new", changed, later, **params)
    assert outcome.verdict == "failed"
    assert says in outcome.reason


def test_errors_of_before_do_not_count(run):
    assert run("new", {PORT + "counters/symbol_error": "9"}, {}).verdict == "passed"


def test_a_port_that_is_ignored(run):
    assert run("new", {PORT + "state": "1: DOWN"}, {}, ignore=["mlx5_0/*"], expected=1).verdict == "passed"


def test_no_such_hardware(scriptlet, rack_context, tmp_path):
    ports = scriptlet("infiniband.ports").InfinibandPorts
    assert rack_context.run(ports, {"root": str(tmp_path)}).reason == "no such hardware: an InfiniBand or RoCE port"
    assert rack_context.run(ports, {"root": str(tmp_path), "absent": "fail"}).verdict == "failed"
