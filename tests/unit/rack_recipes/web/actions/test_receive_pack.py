# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs that other controllers send: who may, what is refused, and what is told."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run, whole_run
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import RUNS, Answer, ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import HOSTILE, wrong_fields
from rack_recipes.archive.export_pack import PackSource, export
from rack_recipes.journal.append import append
from rack_recipes.run.run_folders import hold_run
from rack_recipes.web.actions import action_log, receive_pack

GZIP = "application/gzip"
Packed = Callable[..., bytes]


@pytest.fixture
def served(project) -> Iterator[ServedSite]:
    with ServedSite(may_upload=True) as served:
        yield served


@pytest.fixture
def packed(tmp_path_factory) -> Packed:
    """Makes the pack of a run that was made elsewhere."""

    def packed(run_id: str = "R1", **about: Any) -> bytes:
        folder = tmp_path_factory.mktemp("elsewhere")
        records = whole_run(run_id)
        records[0] = run(run_id, **about)
        append(folder / run_id / "journal.jsonl", records)
        export(PackSource(run_id, folder / run_id / "journal.jsonl", None), folder / "run.tar.gz")
        return (folder / "run.tar.gz").read_bytes()

    return packed


def sent(served: ServedSite, body: bytes, who: str = "operator", **headers: str) -> Answer:
    given = {"content_type": GZIP, "accept": "application/json", **headers}
    return served.ask("/uploads", who, method="POST", body=body, **given)


def is_empty() -> bool:
    """Whether nothing counts as a run here, and nothing is left of what was sent."""
    folders = [path.name for path in RUNS.iterdir()] if RUNS.exists() else []
    inside = [path.name for path in (RUNS / ".importing").iterdir()] if folders else ["lock"]
    return folders in ([], [".importing"]) and inside == ["lock"]


def test_a_run_that_is_sent_has_its_pages(served, packed):
    answer = sent(served, packed())
    told = answer.data
    assert answer.status == 201
    assert {name: told[name] for name in ("run_id", "state", "page", "report", "group")} == {
        "run_id": "R1", "state": "imported", "page": "/runs/R1", "report": "/runs/R1/report", "group": None,
    }  # fmt: skip
    assert wrong_fields("/uploads", told) == []
    assert served.data("/runs/R1")["run"]["run_id"] == "R1"
    assert served.ask("/runs/R1/report", "viewer").status == 200
    assert served.trace() == [("token:operator", "upload", state) for state in ("done", "begun")]
    [row, _begun] = served.data("/actions")["actions"]["rows"]
    assert '"run": "R1"' in row["about"]
    assert sorted(path.name for path in Path(".rack-recipes/server").iterdir()) == [
        "actions.jsonl", "tokens.json", "tokens.json.lock",
    ]  # fmt: skip


def test_the_same_again_is_no_error(served, packed):
    body = packed()
    assert [sent(served, body).status for _time in range(2)] == [201, 200]
    assert sent(served, body).data["state"] == "here already"


def test_a_part_joins_its_group(served, packed):
    for name in ("P1", "P2"):
        told = sent(served, packed(name, group={"id": "G", "part": name, "controller": name, "parts": 2})).data
    assert (told["group"], told["group_page"]) == ("G", "/runs/G")
    assert served.ask("/runs/G", "viewer").status == 200


def test_without_the_option_nothing_is_taken(served, packed):
    served.source.may_upload = False
    answer = sent(served, packed(), "admin")
    assert (answer.status, answer.data["detail"]) == (403, "this server takes no runs")
    assert answer.data["advice"] == receive_pack.ALLOW
    assert is_empty()


def test_a_token_counts_and_no_cookie(served, packed):
    assert "needs operator" in sent(served, packed(), "viewer").data["detail"]
    assert sent(served, packed(), "").status == 401
    browser = served.signed_in("admin")
    answer = served.ask("/uploads", method="POST", body=packed(), cookie=browser.cookie, content_type=GZIP)
    assert (answer.status, b"this form is not one" in answer.text) == (403, True)
    assert is_empty()


def test_a_token_for_some_runs_brings_no_others(served, packed):
    served.grant("lab", "operator", runs=("P*",))
    answer = sent(served, packed("R1"), "lab")
    assert (answer.status, answer.data["detail"]) == (403, "token:lab may see the runs P*, not R1")
    part = {"id": "G", "part": "1", "controller": "a", "parts": 1}
    answer = sent(served, packed("P1", group=part), "lab")
    assert (answer.status, answer.data["detail"]) == (403, "token:lab may see the runs P*, not G")
    assert is_empty()
    assert sent(served, packed("P1"), "lab").status == 201


@pytest.mark.parametrize(
    ("kind", "told"), [("application/x-www-form-urlencoded", "this is application/x-www"), ("", "without a type")]
)
def test_another_media_type_is_refused(served, packed, kind, told):
    answer = sent(served, packed(), content_type=kind)
    assert (answer.status, told in answer.data["detail"]) == (415, True)


def test_what_is_larger_than_allowed_is_refused_before_and_while_it_comes(served, packed):
    body, served.source.most_upload = packed(), 100
    for headers in ({"content_length": str(len(body))}, {}):
        answer = sent(served, body, **headers)
        assert (answer.status, answer.data["detail"]) == (413, "a pack may have 100 bytes here")
        assert "--max-upload" in answer.data["advice"]
    assert is_empty()


def test_a_bomb_is_refused(served, project):
    bomb = io.BytesIO()
    with tarfile.open(fileobj=bomb, mode="w:gz") as tar:
        info = tarfile.TarInfo("x/artifacts/zeros")
        info.size = 3 * 2**20
        tar.addfile(info, io.BytesIO(bytes(info.size)))
    served.source.most_upload = 2**17
    answer = sent(served, bomb.getvalue())
    assert (answer.status, answer.data["detail"]) == (
        400, f"the pack is too large: unpacked it has more than {2**20} bytes, the most for so small a pack"
    )  # fmt: skip
    assert is_empty()


def test_many_empty_files_are_given_up_early(served, project):
    """They are few bytes, and would hold up what others send."""
    pack = io.BytesIO()
    with tarfile.open(fileobj=pack, mode="w:gz") as tar:
        for number in range(6_000):
            tar.addfile(tarfile.TarInfo(f"x/artifacts/{number}"))
    answer = sent(served, pack.getvalue())
    most = 1000 + len(pack.getvalue()) // 64
    assert (answer.status, answer.data["detail"]) == (400, f"the pack is too large: it has more than {most} files")
    assert most < 5000
    assert is_empty()


@pytest.mark.parametrize("name", ["x/../../evil", "/etc/evil", "x/a\x1b[2J"])
def test_names_that_lead_out_are_refused(served, project, name):
    evil = io.BytesIO()
    with tarfile.open(fileobj=evil, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name))
        link = tarfile.TarInfo("x/journal.jsonl")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    answer = sent(served, evil.getvalue())
    assert (answer.status, len(answer.data["problems"])) == (400, 4), answer.data
    assert {problem["kind"] for problem in answer.data["problems"][:2]} == {"refused"}
    assert "\x1b" not in answer.data["detail"]
    assert is_empty()


def test_a_changed_pack_is_refused_by_the_name_of_its_file(served, packed):
    body = bytearray(packed())
    body[len(body) // 2] ^= 1
    answer = sent(served, bytes(body))
    assert answer.status == 400, answer.data
    assert is_empty()


@pytest.mark.parametrize("body", [b"", b"no gzip", HOSTILE.encode()])
def test_what_is_no_pack_is_told_without_a_name_of_ours(served, project, body):
    answer = sent(served, body)
    assert (answer.status, answer.data["detail"].startswith("it cannot be read: ")) == (400, True), answer.data
    assert answer.data["advice"] == receive_pack.EXPORT


def test_another_run_of_this_id_is_refused(served, packed):
    assert sent(served, packed()).status == 201
    answer = sent(served, packed(time="2026-11-02T12:00:00.000000Z"))
    assert (answer.status, answer.data["type"]) == (409, "urn:rack-recipes:problem:run-conflict")
    assert served.trace()[0][2].startswith("refused: the store has another run")


def test_a_run_that_goes_on_here_is_not_replaced(served, packed):
    body = packed()
    (RUNS / "R1").mkdir(parents=True)
    with hold_run(RUNS / "R1"):
        answer = sent(served, body)
    assert (answer.status, "still goes on" in answer.data["detail"]) == (409, True)


def test_without_a_line_in_the_log_nothing_is_brought(served, packed, monkeypatch):
    monkeypatch.setattr(action_log, "NAME", "server")
    answer = sent(served, packed())
    assert (answer.status, "the log of what pages do, cannot be written" in answer.data["detail"]) == (503, True)
    assert is_empty()


def test_a_disk_that_cannot_be_written_is_told(served, packed, monkeypatch):
    def full(**_more: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(receive_pack, "TemporaryFile", full)
    answer = sent(served, packed())
    assert (answer.status, answer.data["detail"]) == (
        503,
        "the pack cannot be kept in .rack-recipes/server: No space left on device",
    )


def test_a_store_that_is_away_is_told_and_the_run_is_safe(served, packed):
    body, served.source.db = packed(), "sqlite:////proc/nowhere/results.db"
    answer = sent(served, body)
    assert answer.status == 503


def test_the_policy_counts(served, packed):
    Path("policy.yml").write_text('rules:\n  - {groups: ["role:author"], may: [change]}\n')
    Path("policy.yml").chmod(0o600)
    Path("ansible.cfg").write_text("[defaults]\n[rack_recipes]\npolicy = policy.yml\n")
    answer = sent(served, packed())
    assert (answer.status, served.trace()[0][2][:8]) == (403, "refused:")
    assert is_empty()
