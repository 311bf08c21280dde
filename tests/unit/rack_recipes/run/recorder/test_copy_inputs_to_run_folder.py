# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.ansible_plays import an_inventory, play, task
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, planned
from rack_recipes.recipe.load import load
from rack_recipes.run.current_run import Run, RunInputs
from rack_recipes.run.extra_vars import secrets_of
from rack_recipes.run.host import host_request
from rack_recipes.run.recorder.copy_inputs_to_run_folder import recipe_files, write_snapshot

SCRIPT = 'echo \'{"status": "ok"}\'\n'


@pytest.fixture(autouse=True)
def _project(project: Path) -> None:
    host_request._found.cache_clear()
    (project / "scriptlets/t").mkdir(parents=True)
    (project / "scriptlets/t/ok.sh").write_text(SCRIPT)
    (project / "scriptlets/t/ok.yml").write_text("description: Says ok\n")


def a_play(tmp_path: Path, text: str = "- hosts: all\n", **about: Any) -> Any:
    """One that stands in a file."""
    path = tmp_path / "compiled.yml"
    path.write_text(text)
    made = play(
        task(1, {"name": "a", "type": "shell", "module": "t.ok"}, {"name": "b", "module": "gone"}),
        task(2, {"name": "c", "type": "ansible", "module": "ansible.builtin.ping"}),
        about=about,
    )
    made.get_path = lambda: f"{path}:3"
    return made


def begun(folder: Path, recipe: dict[str, Any], **values: Any) -> Run:
    secrets = secrets_of(recipe.get("params") or {}, values)
    given = RunInputs(recipe=recipe, params=values, secrets=secrets, mask=Mask(secrets))
    return a_run(folder, planned("a"), inputs=given)


def hosts(**variables: dict[str, Any]) -> dict[str, Any]:
    inventory = an_inventory()._inventory
    found = {host.name: host for host in inventory.get_hosts("all")}
    for name, said in variables.items():
        for variable, value in said.items():
            found[name].set_variable(variable, value)
    return found


def written(run: Run) -> dict[str, bytes]:
    folder = run.folder / "begun"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_a_run_is_begun_with(tmp_path: Path):
    text = b"test_meta: {test_id: T}\nsteps: []\n"
    Path("r.yml").write_bytes(text)
    run = begun(tmp_path, {"path": "r.yml", "digest": f"sha256:{sha256(text).hexdigest()}"})
    known = {"ansible_host": "192.0.2.1", "ansible_port": 22, "ansible_password": "s3cret", "rack_unit": 7}
    write_snapshot(run, [a_play(tmp_path)], hosts(r1=known))
    found = written(run)
    assert {*found} == {"recipe/r.yml", "playbook.yml", "hosts.json", "scriptlets.json"}
    assert found["recipe/r.yml"] == text
    assert found["playbook.yml"] == b"- hosts: all\n"
    assert json.loads(found["hosts.json"]) == {
        "r1": {"groups": ["all", "odd", "rack"], "ansible_host": "192.0.2.1", "ansible_port": "22"},
        "r2": {"groups": ["all", "rack"]},
        "r3": {"groups": ["all", "odd", "rack"]},
    }
    assert [*json.loads(found["scriptlets.json"])] == ["t.ok"]
    assert json.loads(found["scriptlets.json"])["t.ok"].startswith("sha256:")
    assert all(path.stat().st_mode & 0o077 == 0 for path in (run.folder / "begun").rglob("*"))


def test_nothing_secret_is_kept(tmp_path: Path):
    params = {
        "password": {"type": "str", "secret": True},
        "token": {"type": "str", "secret": True},
    }
    text = b"# token: given-as-token\n"
    Path("r.yml").write_bytes(text)
    about = {"path": "r.yml", "digest": f"sha256:{sha256(text).hexdigest()}", "params": params}
    run = begun(tmp_path, about, password="given-as-password", token="given-as-token")
    playbook = "- given-as-password\n- Z2l2ZW4tYXMtdG9rZW4=\n"
    write_snapshot(
        run, [a_play(tmp_path, playbook)], hosts(r1={"ansible_host": "given-as-token", "ansible_user": "al"})
    )
    found = written(run)
    whole = b"".join(found.values())
    for secret in (b"given-as-password", b"given-as-token", b"Z2l2ZW4tYXMtdG9rZW4"):
        assert secret not in whole
    assert whole.count(b"********") == 4
    assert json.loads(found["hosts.json"])["r1"]["ansible_user"] == "al"


LITERAL = r"""
params: {bmc_password: {default: of-the-default}}
steps:
  - {name: a, type: shell, module: t.ok, args: {api_token: of-the-name, conf: {x: [{password: 'of ''a'' mapping'}]}}}
  - {name: b, type: shell, module: t.ok, args: {word: of-the-option, user: somebody, token: "${params.bmc_password}"}}
  - {name: c, type: ansible, module: ansible.builtin.uri, args: {url_password: "of-the-module, \"quoted\""}}
  - {name: d, type: shell, module: t.ok, loop: [{token: of-the-loop}], args: {word: "${item.token}"}}
"""
HOOKS = {"pre_step": [{"type": "shell", "module": "t.ok", "args": {"word": "of-the-hook", "token": "{{ the_token }}"}}]}


def test_what_a_recipe_says_itself_under_the_name_of_a_secret_is_masked(tmp_path: Path, project: Path):
    (project / "scriptlets/t/ok.yml").write_text("description: Says ok\noptions: {word: {type: raw, no_log: true}}\n")
    text = LITERAL.encode() + b"# of-the-hook, {{ the_token }}\n"
    said = yaml.safe_load(text)
    Path("r.yml").write_bytes(text)
    about = {"path": "r.yml", "digest": f"sha256:{sha256(text).hexdigest()}", "params": said["params"], "hooks": HOOKS}
    made = a_play(tmp_path, json.dumps(said, indent=1), **about)
    made.tasks = play(task(1, *said["steps"][:2], said["steps"][3]), task(2, said["steps"][2])).tasks
    run = begun(tmp_path, about, bmc_password="given-instead")
    write_snapshot(run, [made], hosts())
    found = written(run)
    for kept, secrets in ((found["recipe/r.yml"], 7), (found["playbook.yml"], 6)):
        assert b"of-the-" not in kept
        assert b"mapping" not in kept
        assert b"quoted" not in kept
        assert kept.count(b"********") == secrets
        assert b"somebody" in kept
        assert b"${params.bmc_password}" in kept
    assert b"# ********, {{ the_token }}" in found["recipe/r.yml"]


def test_a_value_that_is_encrypted_is_not_kept(tmp_path: Path):
    from ansible.parsing.vault import EncryptedString

    encrypted = EncryptedString(ciphertext="$ANSIBLE_VAULT;1.1;AES256\n00\n")
    run = begun(tmp_path, {})
    write_snapshot(run, [a_play(tmp_path)], hosts(r1={"ansible_user": encrypted, "ansible_host": "192.0.2.1"}))
    assert json.loads(written(run)["hosts.json"])["r1"] == {
        "groups": ["all", "odd", "rack"],
        "ansible_host": "192.0.2.1",
    }


def test_what_cannot_be_kept_holds_up_no_run(tmp_path: Path):
    run = begun(tmp_path, {"path": "gone.yml", "digest": "sha256:0"})
    write_snapshot(run, [play(task(1, {"name": "a"}))], hosts())
    assert {*written(run)} == {"hosts.json", "scriptlets.json"}
    write_snapshot(run, [a_play(tmp_path)], hosts())  # it is kept once
    assert "playbook.yml" not in written(run)


def test_with_all_that_is_included(project: Path):
    steps = [{"name": "ok", "type": "shell", "module": "t.ok", "success": "none"}]
    for path, inner in (("parts/b.yml", []), ("recipes/a.yml", [{"name": "b", "include": "../parts/b.yml"}])):
        Path(path).parent.mkdir()
        Path(path).write_text(json.dumps({"test_meta": {"test_id": path}, "steps": [*inner, *steps]}))
    wanted = load("recipes/a.yml")
    found = recipe_files("recipes/a.yml", wanted.digest)
    assert [name for name, _text in found] == ["recipes/a.yml", "parts/b.yml"]
    absolute = str(project / "recipes/a.yml")
    assert [name for name, _text in recipe_files(absolute, load(absolute).digest)] == ["0-a.yml", "1-b.yml"]
    Path("parts/b.yml").write_text(Path("parts/b.yml").read_text() + "\n")
    assert recipe_files("recipes/a.yml", wanted.digest) == []


@pytest.mark.parametrize(
    ("path", "name"),
    [("r.yml", "r.yml"), ("./a/r.yml", "a/r.yml"), ("../r.yml", "0-r.yml"), ("a\nb.yml", "0-recipe.yml")],
)
def test_the_name_leads_nowhere_else(path: str, name: str, project: Path, monkeypatch: pytest.MonkeyPatch):
    (project / "below/a").mkdir(parents=True)
    monkeypatch.chdir(project / "below")
    Path(path).write_bytes(b"x")
    assert recipe_files(path, f"sha256:{sha256(b'x').hexdigest()}") == [(name, b"x")]


@pytest.mark.parametrize("path", ["", "absent.yml", ".", "a\0b"])
def test_a_recipe_that_cannot_be_read(path: str):
    assert recipe_files(path, "sha256:0") == []
