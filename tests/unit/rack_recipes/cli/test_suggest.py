# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import getpass
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import end, run, step
from rack_recipes.journal.append import append
from rack_recipes.recipe.waiver_file import read_waivers
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.writing.import_journal import import_journal

FLAKY = "pppfppfppfpppfpf"  # a letter for each run, the newest last
WAIVED = {"verdict": "failed", "reason": "down", "by": ["0a1b2c3d"]}


def ended(letter: str, number: int, host: str) -> dict[str, Any]:
    verdict = {"p": "passed", "f": "failed", "w": "waived"}[letter]
    more = {"waived": WAIVED} if letter == "w" else {}
    return step(number, host, step="link", verdict=verdict, inputs="sha256:1", **more)


@pytest.fixture
def stored(project: Path) -> Any:
    """A function that stores runs in which the step `link` ended so on r1 and on r2."""

    def stored(on_r1: str, on_r2: str) -> None:
        store = connect_store("sqlite:///.rack-recipes/results.db")
        for day, (one, two) in enumerate(zip(on_r1, on_r2, strict=True), 1):
            path = Path(f"R{day:02}.jsonl")
            begun = run(f"R{day:02}", time=f"2026-11-{day:02}T00:00:00.000000Z")
            append(path, [begun, ended(one, 1, "r1"), ended(two, 1, "r2"), end()])
            import_journal(store, path)
        store.dispose()

    return stored


def test_what_fails_now_and_then_gets_a_waiver_ready_to_paste(stored: Any):
    stored(FLAKY, "p" * len(FLAKY))
    text = call("waivers", "suggest").out
    Path("waivers.yml").write_text(f"waivers:\n{text}")
    (waiver,) = read_waivers("waivers.yml").waivers
    assert (waiver.step, waiver.hosts, waiver.test_id, waiver.who) == ("link", ("r1",), "T-17", getpass.getuser())
    assert waiver.reason == f"a flake: 5 of {len(FLAKY)} results failed with the same inputs"
    assert waiver.passes >= 3
    assert call("waivers", "suggest", "--json").answer["waivers"] == [
        {
            "step": "link",
            "test_id": "T-17",
            "hosts": ["r1"],
            "reason": waiver.reason,
            "who": waiver.who,
            "passes": waiver.passes,
        }
    ]


def test_hosts_with_the_same_rate_share_a_waiver(stored: Any):
    stored(FLAKY, FLAKY)
    assert call("waivers", "suggest", "--json").answer["waivers"][0]["hosts"] == ["r1", "r2"]


def test_what_is_waived_already_is_left_out(stored: Any):
    stored(FLAKY.replace("f", "w"), "p" * len(FLAKY))
    assert call("waivers", "suggest", "--json").answer["waivers"] == []


def test_where_nothing_fails_now_and_then(stored: Any):
    stored("pppp", "pppf")
    run_id = "R04"
    assert call("waivers", "suggest").out.startswith(f"# nothing to put into quarantine: no step of run {run_id} fails")
