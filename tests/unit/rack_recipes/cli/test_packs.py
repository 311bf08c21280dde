# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import json
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import FIRST, SECOND
from ansible_collections.rack.recipes.tests.unit.rack_recipes.journal.sample_records import run, whole_run
from rack_recipes.archive import send_pack
from rack_recipes.archive.verify_pack import verify
from rack_recipes.journal.append import append

PACK = f"rack-recipes-{FIRST}"


def test_the_paths_are_printed(runs: Path):
    done = call("export", FIRST)
    assert (done.code, done.out) == (0, f"{PACK}.tar.gz\n{PACK}.tar.gz.sha256\n")
    assert "without playbook.yml: it was not kept when the run began" in done.err
    assert Path(f"{PACK}.tar.gz").is_file()


def test_as_json(runs: Path):
    answer = call("export", "--to", "packs/second", "--json").answer
    assert (answer["run_id"], answer["paths"]) == (SECOND, ["packs/second"])
    assert {*answer["missing"]} == {"recipe", "playbook.yml", "scriptlets"}
    assert answer["files"] == len([path for path in Path("packs/second").rglob("*") if path.is_file()])


def test_a_run_that_goes_on(runs: Path):
    with (runs / FIRST / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = call("export", FIRST)
    assert (done.code, done.err) == (2, f"run {FIRST} still goes on: it can be exported when it has ended\n")


def test_wherever_the_run_is(runs: Path):
    assert call("export", FIRST, "--to", "both").code == 0
    nowhere = "sqlite:////proc/nowhere/results.db"
    assert call("export", FIRST, "--to", "here", "--db", nowhere).code == 0
    call("prune", "--keep", "0")
    assert call("export", FIRST, "--to", "stored").code == 0
    texts = [Path(name, "results/context.jsonl").read_bytes() for name in ("both", "here", "stored")]
    assert texts == texts[:1] * 3
    assert call("export", FIRST, "--to", "none", "--db", nowhere).code == 5
    done = call("export", "2025", "--to", "none")
    assert (done.code, done.err) == (2, "there is no run '2025' in the store\n")
    assert call("export", "2026", "--to", "none").code == 2


def test_verified(runs: Path):
    call("export", FIRST, "--to", "pack.zip")
    done = call("verify", "pack.zip")
    assert (done.code, done.err) == (0, "it is not signed\n")
    assert done.out.startswith(f"run {FIRST}, ")
    assert done.out.endswith(" files: nothing was changed\n")
    answer = call("verify", "pack.zip", "--json").answer
    assert (answer["status"], answer["problems"], answer["signer"]) == ("ok", [], "")


def test_changed(runs: Path):
    call("export", FIRST, "--to", "pack")
    Path("pack/versions.json").write_text("{}")
    Path("pack/a\x1b[2J").touch()
    done = call("verify", "pack")
    assert done.code == 1
    assert "changed  versions.json: 2 bytes, not " in done.out
    assert "refused  a [2J: a name with characters that no pack has" in done.out
    assert done.out.endswith(" files: 2 problems\n")
    done = call("verify", "pack", "--json")
    assert (done.code, done.answer["status"]) == (1, "changed")
    assert {problem["file"] for problem in done.answer["problems"]} == {"versions.json", "a\x1b[2J"}


def test_what_cannot_be_verified(runs: Path):
    assert call("verify", "absent.zip").code == 2
    assert call("verify", str(runs)).code == 2
    text = "rack-recipes verify: --allowed-signers and --signer belong together; see --help\n"
    assert call("verify", "x", "--signer", "me") == (2, "", text)
    assert call("verify", "x", "--allowed-signers", "x") == (2, "", text)
    done = call("verify", "x", "--allowed-signers", "absent", "--signer", "me")
    assert done == (2, "", "--allowed-signers absent: there is no such file\n")


TO = ("--to", "http://127.0.0.1:8321")
ELSEWHERE = "[defaults]\n[rack_recipes]\nruns = elsewhere/runs\ndb = sqlite:///elsewhere/results.db\n"


@pytest.fixture
def pack(runs: Path) -> str:
    """A pack of a run, in a project whose own runs are elsewhere."""
    call("export", FIRST, "--to", "pack.tar.gz")
    Path("ansible.cfg").write_text(ELSEWHERE)
    return "pack.tar.gz"


def test_a_pack_is_imported_once(pack):
    done = call("import", pack)
    assert done.code == 0, done.err
    assert done.out.startswith(f"run {FIRST}: imported, ")
    assert (Path("elsewhere/runs") / FIRST / "journal.jsonl").exists()
    assert json.loads(call("show", FIRST, "--json").out)["run"]["run_id"] == FIRST
    answer = call("import", pack, "--json").answer
    assert answer == {
        "status": "ok", "run_id": FIRST, "state": "here already", "group": None,
        "folder": f"elsewhere/runs/{FIRST}", "rows": 0, "damaged": [],
    }  # fmt: skip


def test_a_changed_pack_is_refused_and_no_store_is_made(pack):
    data = bytearray(Path(pack).read_bytes())
    data[len(data) // 2] ^= 1
    Path(pack).write_bytes(data)
    done = call("import", pack)
    assert (
        done.code,
        "changed  pack.tar.gz: the archive is not the one that pack.tar.gz.sha256 is of" in done.err,
    ) == (1, True)
    assert not Path("elsewhere/results.db").exists()


@pytest.fixture
def sent(monkeypatch) -> list[tuple[Any, Any]]:
    """What would have been sent: to which server, and what the pack is."""
    made: list[tuple[Any, Any]] = []

    def send(server: Any, path: Path, on_sent: Any) -> dict[str, Any]:
        made.append((server, verify(path)))
        on_sent(1, 2)
        page = f"/runs/{FIRST}"
        told = {"run_id": FIRST, "state": "imported", "page": page, "report": f"{page}/report"}
        return {**told, "group": "G", "group_page": "/runs/G"} if len(made) > 1 else told

    monkeypatch.setattr(send_pack, "send", send)
    return made


def test_a_run_is_sent_as_a_pack(runs, sent, monkeypatch):
    monkeypatch.setenv("RACK_RECIPES_TOKEN", "rrt_1")
    done = call("upload", FIRST, *TO)
    page = f"http://127.0.0.1:8321/runs/{FIRST}"
    assert (done.code, done.out, done.err) == (0, f"{page}\n{page}/report\n", "")
    [(server, found)] = sent
    assert (server.token, found.run_id, found.problems) == ("rrt_1", FIRST, [])
    assert call("upload", FIRST, *TO, "--json").answer == {
        "status": "ok", "run_id": FIRST, "state": "imported", "group": "G", "page": page, "report": f"{page}/report",
        "group_page": "http://127.0.0.1:8321/runs/G",
    }  # fmt: skip


def test_a_group_stands_for_its_parts(project, sent, monkeypatch):
    monkeypatch.setenv("RACK_RECIPES_TOKEN", "rrt_1")
    for name in ("P1", "P2"):
        records = whole_run(name)
        records[0] = run(name, group={"id": "G", "part": name, "controller": name, "parts": 2})
        append(Path(".rack-recipes/runs") / name / "journal.jsonl", records)
        (Path(".rack-recipes/runs") / name / "lock").touch()
    assert call("flush", "G").code == 0
    answer = call("upload", "G", *TO, "--json").answer
    page = "http://127.0.0.1:8321/runs/G"
    assert (answer["run_id"], answer["page"], answer["report"]) == ("G", page, f"{page}/report")
    assert [found.run_id for _server, found in sent] == ["P1", "P2"]
    assert len(answer["parts"]) == 2
    assert call("upload", "G", *TO).out == f"{page}\n{page}/report\n"


def test_a_run_that_the_store_alone_has_is_not_sent(runs, sent, monkeypatch):
    monkeypatch.setenv("RACK_RECIPES_TOKEN", "rrt_1")
    call("prune", "--keep", "0")
    done = call("upload", FIRST, *TO)
    assert (done.code, done.err) == (2, f"run {FIRST} has no folder here: upload it where it was made\n")


def test_a_run_without_an_end_is_ended_first(runs, sent, monkeypatch):
    monkeypatch.setenv("RACK_RECIPES_TOKEN", "rrt_1")
    journal = runs / FIRST / "journal.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if b'"end"' not in line))
    assert call("upload", FIRST, *TO).code == 0
    assert b'"interrupted"' in journal.read_bytes()


def test_a_token_from_a_file(runs, sent):
    Path("ci.token").write_text("rrt_2\n")
    Path("ci.token").chmod(0o600)
    assert call("upload", *TO, "--token-file", "ci.token").code == 0
    assert sent[0][0].token == "rrt_2"
    Path("ci.token").chmod(0o644)
    assert call("upload", *TO, "--token-file", "ci.token") == (
        2, "", "--token-file ci.token: others can read it: `chmod o= ci.token`\n",
    )  # fmt: skip


@pytest.mark.parametrize("token", ["", "a\nb", "ä"])
def test_without_a_token_it_is_told_where_one_comes_from(runs, sent, monkeypatch, token):
    monkeypatch.setenv("RACK_RECIPES_TOKEN", token)
    done = call("upload", *TO)
    made = "`rack-recipes token create NAME --role operator` on the server makes one"
    assert (done.code, done.err) == (2, f"expected a token in --token-file or RACK_RECIPES_TOKEN: {made}\n")
    assert sent == []


def test_a_run_that_goes_on_is_not_sent(runs, sent, monkeypatch):
    monkeypatch.setenv("RACK_RECIPES_TOKEN", "rrt_1")
    with (runs / FIRST / "lock").open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = call("upload", FIRST, *TO)
    assert (done.code, "still goes on" in done.err, sent) == (2, True, [])
