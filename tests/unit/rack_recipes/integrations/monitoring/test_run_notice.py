# SPDX-License-Identifier: GPL-3.0-or-later

"""What is told of a run: as much as a reader needs, and none of its secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, planned, step
from rack_recipes.integrations.monitoring.end_notice import tell_end
from rack_recipes.integrations.monitoring.run_notice import MOST_HOSTS, build_notice
from rack_recipes.journal.append import append
from rack_recipes.run.current_run import Run, RunInputs

HOSTS = tuple(f"h{number:02}" for number in range(60))
SECRET = "hunter2-of-the-bmc"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on 60 hosts that failed on all of them; its store is away."""
    made = a_run(
        tmp_path,
        planned("a", *HOSTS),
        hosts=HOSTS,
        inputs=RunInputs(mask=Mask((SECRET,))),
        db=f"sqlite:///{tmp_path}/none.db",
        notify_url="http://127.0.0.1:9/",
    )
    append(made.path, [step("a", host, "failed", reason=SECRET) for host in HOSTS])
    made.catch_up()
    made.stored = "the store is away"
    return made


def test_the_first_hosts_are_named_and_all_are_counted(run: Run):
    told = build_notice(run)
    assert (told["status"], told["counts"], told["hosts"]) == ("failed", {"failed": 60}, 60)
    assert (told["failing_hosts"], told["failing_hosts_total"]) == ([*HOSTS[:MOST_HOSTS]], 60)


def test_a_store_that_is_away_has_no_findings_and_that_is_told(run: Run):
    told = build_notice(run)
    assert (told["findings"], told["is_stored"]) == ([], False)


def test_secrets_are_masked_wherever_they_stand(tmp_path: Path, run: Run):
    first = (tmp_path / "R1" / "journal.jsonl").read_text()
    assert SECRET in first, "the journal of this test is not masked"
    made = a_run(tmp_path / "other", planned(SECRET), hosts=(SECRET,), inputs=RunInputs(mask=Mask((SECRET,))))
    append(made.path, [step(SECRET, SECRET, "failed")])
    made.catch_up()
    assert SECRET not in str(build_notice(made, was_interrupted=True))


def test_a_run_that_was_interrupted_says_so(run: Run):
    assert build_notice(run, was_interrupted=True)["status"] == "interrupted"


def test_without_an_address_nobody_is_told(tmp_path: Path):
    assert tell_end(a_run(tmp_path / "quiet", planned("a"))) == ""


def test_what_is_wrong_with_the_settings_is_said(run: Run):
    assert tell_end(run).startswith("the end of this run was not told: notices are signed: give notify_secret_file")
