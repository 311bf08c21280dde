# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
from pathlib import Path

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.results.two_stored_runs import FIRST, SECOND

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
