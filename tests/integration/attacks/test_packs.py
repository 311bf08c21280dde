# SPDX-License-Identifier: GPL-3.0-or-later

"""Forged packs, sent to a server of pages over its socket and brought in by the command."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import chdir, suppress
from getpass import getuser
from itertools import count
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import yaml

from ansible_collections.rack.recipes.tests.integration.web.web_server import Answer, WebServer, web_server
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import (
    STARTED,
    Record,
    end,
    run,
    step,
)
from call_rack_recipes import called_here, rack_recipes
from rack_recipes.archive.export_pack import PackSource, export
from rack_recipes.errors import RackError
from rack_recipes.journal.append import append

LATER = "2026-11-25T13:00:00.000000Z"
FORGERIES = yaml.safe_load(Path(__file__).with_name("cases").joinpath("forged_records.yml").read_text())
Forge = Callable[..., Path]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    (folder / "ansible.cfg").write_text("[defaults]\n")
    return folder


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[WebServer]:
    with web_server(folder, "--allow-upload") as server:
        yield server


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """Makes the pack of a run of these records; its checksums are right, as anybody can make them."""
    numbers = count()

    def forge(records: Sequence[Record]) -> Path:
        run_id, place = records[0]["run"], tmp_path / f"forged-{next(numbers)}"
        append(place / run_id / "journal.jsonl", records)
        export(PackSource(run_id, place / run_id / "journal.jsonl", None), place / "run.tar.gz")
        return place / "run.tar.gz"

    return forge


def records(run_id: str, verdict: str, *more: Record, status: str = "") -> list[Record]:
    """A run of one step on one host that has ended so; with `more` behind its end."""
    ended = end(status=status or verdict, exit_code=int(verdict != "passed"), counts={verdict: 1})
    reason = "as it was" if verdict == "failed" else "forged, at more length"
    return [run(run_id, ("r1",)), step(1, "r1", verdict=verdict, reason=reason), ended, *more]


FORGED = (
    step(2, "r1", verdict="passed", reason="forged", started=STARTED),
    step(0, "r1", verdict="passed", reason="forged", final=True),
    end(time=LATER, status="passed", counts={"passed": 1}),
)


def sent(server: WebServer, pack: Path) -> Answer:
    return server.ask("/uploads?format=json", "POST", pack.read_bytes(), Content_Type="application/gzip")


def told(server: WebServer, run_id: str) -> tuple[str, str, str]:
    """What the pages say of a run: its status, the verdict of its step, the reason."""
    status = server.ask(f"/runs/{run_id}?format=json").data["run"]["status"]
    [result] = server.ask(f"/runs/{run_id}/hosts/r1?format=json").data["results"]["rows"]
    return status, result["verdict"], result["reason"]


def last_action(folder: Path) -> dict[str, Any]:
    row: dict[str, Any] = json.loads((folder / ".rack-recipes/server/actions.jsonl").read_text().splitlines()[-1])
    return row


@pytest.mark.parametrize("more", [FORGED, (run("20261125-120000-00000c", ("r1",)), *FORGED)], ids=["end", "run"])
def test_a_pack_that_is_new_counts_up_to_its_end(server, folder, forge, more):
    run_id = f"20261125-120000-0000c{len(more)}"
    more = [{**one, "run": run_id} if one["kind"] == "run" else one for one in more]
    assert sent(server, forge(records(run_id, "failed", *more))).status == 201
    assert told(server, run_id) == ("failed", "failed", "as it was")
    with chdir(folder):  # nor does it later, by another way to the store
        assert rack_recipes("flush", run_id).code == 0
        assert rack_recipes("export", run_id, "--to", f"{run_id}.tar.gz").code == 0
    assert told(server, run_id) == ("failed", "failed", "as it was")


def test_another_run_folder_does_not_write_over_a_stored_run(server, folder, forge, tmp_path):
    """The same store, and a folder of the same id that was made by somebody else."""
    run_id = "20261125-120000-00000f"
    assert sent(server, forge(records(run_id, "failed"))).status == 201
    other = tmp_path / "other"
    other.mkdir()
    forged = records(run_id, "passed")
    forged[0]["time"] = forged[-1]["time"] = LATER
    append(other / f".rack-recipes/runs/{run_id}/journal.jsonl", forged)
    with chdir(other):
        done = rack_recipes("flush", run_id, "--db", f"sqlite:///{folder}/.rack-recipes/results.db", "--json")
    assert told(server, run_id) == ("failed", "failed", "as it was")
    assert (done.code, "a finished run is never written over" in done.answer["reason"]) == (5, True), done


def test_what_a_token_may_bring_in_a_day_is_limited(tmp_path, forge):
    packs = [forge(records(f"20261125-130000-00000{number}", "failed")) for number in range(9)]
    (tmp_path / "pages").mkdir()
    with web_server(tmp_path / "pages", "--allow-upload", "--max-upload", "4KiB") as server:
        answers = [sent(server, pack) for pack in packs]
        again = sent(server, packs[0])
    accepted = sum(answer.status == 201 for answer in answers)
    assert 3 < accepted < 9, [answer.text for answer in answers]
    refused = [answer.data["detail"] for answer in answers[accepted:]]
    assert all(f"what is left of the {20 * 4 * 2**10} that {getuser()} may" in detail for detail in refused), refused
    assert again.status == 400


def forged_records(case: Mapping[str, Any]) -> list[Record]:
    """A run with a record that no run writes."""
    value = case.get("value")
    for _level in range(case.get("deep", 0)):
        value = [value]
    found = records(f"20261125-140000-{crc32(repr(sorted(case.items())).encode()) % 2**24:06x}", "failed")
    return [{**one, case["field"]: value} if one["kind"] == case["kind"] else one for one in found]


def case_name(case: Mapping[str, Any]) -> str:
    return f"{case['kind']} {case['field']} {case.get('value', 'deep')}"[:60]


@pytest.mark.repeats(one_in=4)
@pytest.mark.parametrize("case", FORGERIES, ids=case_name)
def test_a_record_that_no_run_writes_is_refused(server, folder, tmp_path, forge, case):
    """By its file, its line and the reason. A store that holds it already is shown without a traceback."""
    forged = forged_records(case)
    pack = forge(forged)
    answer = sent(server, pack)
    number = 2 + 2 * [one["kind"] for one in forged].index(case["kind"])  # an empty line stands before each
    assert (answer.status, f"journal.jsonl, line {number}: {case['told']}" in answer.data["detail"]) == (
        400, True
    ), answer.text  # fmt: skip
    assert last_action(folder)["state"] == f"refused: {answer.data['detail']}"
    run_id = forged[0]["run"]
    append(tmp_path / f".rack-recipes/runs/{run_id}/journal.jsonl", forged)
    with chdir(tmp_path):
        for words in (("flush",), ("show",), ("show", "--json"), ("report", "--to", "report"), ("analyse",)):
            with suppress(RackError):  # which the command tells; any other exception is a traceback
                called_here(*words)
