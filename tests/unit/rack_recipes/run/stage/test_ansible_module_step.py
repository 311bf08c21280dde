# SPDX-License-Identifier: GPL-3.0-or-later

"""Modules and actions of Ansible as steps of a recipe, in real playbooks."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleConnectionFailure, AnsibleError

from ansible_collections.rack.recipes.tests.unit.plugins.run_playbooks import play
from rack_recipes.journal.reader import JournalReader
from rack_recipes.run.stage.ansible_module_step import _verdict_of_error

CFG = "[defaults]\ncallbacks_enabled = rack.recipes.recorder\ninject_facts_as_vars = false\n"
CASES = Path(__file__).parent / "cases"
SECRET = "s3cret-word"
LONG_SECRET = "".join(f"{number:04d}" for number in range(800))
Records = dict[str, dict[str, Any]]


def a_play(steps: list[dict[str, Any]], **about: Any) -> str:
    """A compiled play: each step is a stage of its own."""
    tasks = [
        {
            "name": f"Stage {number}, {step['name']}",
            "rack.recipes.stage": {"number": number, "steps": [{"type": "ansible", **step}]},
            "tags": [step["name"]],
        }
        for number, step in enumerate(steps, start=1)
    ]
    recipe = {"path": "r.yml", "digest": "sha256:0", "test_id": "T-1", **about}
    head = {"name": "Run", "hosts": "all", "gather_facts": False, "ignore_errors": True, "ignore_unreachable": True}
    return yaml.safe_dump([{**head, "vars": {"rack_recipes_recipe": recipe}, "tasks": tasks}], sort_keys=False)


def run(folder: Path, text: str, *arguments: str) -> tuple[Records, dict[str, Any], str]:
    """The step records, the context, and what Ansible printed."""
    (folder / "ansible.cfg").write_text(CFG)
    shutil.copytree(CASES / "scriptlets", folder / "scriptlets")
    (folder / "data").mkdir()
    (folder / "data/note.txt").write_text("hello")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        ended = play(text, *arguments, hosts="r1,")
    [path] = (folder / ".rack-recipes/runs").glob("*/journal.jsonl")
    records = [*JournalReader(path).records()]
    steps = {record["step"]: record for record in records if record["kind"] == "step"}
    keys = {record["key"]: record["after"] for record in records if record["kind"] == "delta"}
    assert all(record["n"] for record in steps.values())
    assert SECRET not in path.read_text() + ended.output
    return steps, keys, ended.output


STEPS: dict[str, Any] = yaml.safe_load((CASES / "modules.yml").read_bytes())


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Records, dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("modules")
    secret = {"type": "str", "secret": True}
    params = {"password": secret, "key": secret, "word": {"type": "str", "default": "hello"}}
    text = a_play(STEPS["steps"], params=params)
    return run(folder, text, "-e", f"password={SECRET}", "-e", f"key={LONG_SECRET}")


@pytest.mark.parametrize("name", [step["name"] for step in STEPS["steps"]])
def test_how_a_module_ends(ended: tuple[Records, dict[str, Any], str], name: str):
    record, expected = ended[0][name], STEPS["expected"][name]
    assert record["verdict"] == expected["verdict"]
    assert expected.get("reason", "") in record["reason"]
    assert bool(record["reason"]) is (record["verdict"] != "passed")


def test_its_result_is_a_key_of_the_context(ended: tuple[Records, dict[str, Any], str]):
    keys = ended[1]
    assert keys["t.echo_v1"]["stdout"] == "hello"
    assert not {"invocation", "warnings"} & keys["t.echo_v1"].keys()
    assert (keys["t.failed_v1"]["failed"], keys["t.failed_v1"]["rc"]) == (True, 3)
    assert keys["t.secret_v1"] == "********"  # by its name
    assert keys["t.note_v1"]["changed"] is True


def test_a_key_takes_a_part_of_its_result(ended: tuple[Records, dict[str, Any], str]):
    keys = ended[1]
    assert (keys["t.ports_v1"], keys["t.lines_v1"]) == ([{"mtu": 9000}], ['{"ports": [{"mtu": 9000}]}'])
    assert (keys["t.second_v1"], keys["t.half_v1"]) == (["7"], "half")
    assert not {"t.first_v1", "t.third_v1", "t.none_v1"} & keys.keys()


def test_one_that_skips_itself_leaves_its_key_as_it_was(ended: tuple[Records, dict[str, Any], str]):
    assert ended[1]["t.kept_v1"]["stdout"] == "1"


def test_a_long_secret_in_its_message_is_masked_before_that_is_cut(ended: tuple[Records, dict[str, Any], str]):
    assert ended[0]["long_secret"]["reason"] == "x" * 3000 + " ********"
    assert "00010002" not in ended[2]


def test_it_is_tried_again_and_has_a_fingerprint(ended: tuple[Records, dict[str, Any], str]):
    assert [attempt["verdict"] for attempt in ended[0]["again"]["attempts"]] == ["failed", "failed"]
    made = {name: record["inputs"].partition(":")[0] for name, record in ended[0].items() if record["attempts"]}
    assert made["secret"] == made["echo"] == "hmac"  # criteria with values may refer to each parameter
    assert made["again"] == made["fails"] == "sha256"


def test_a_module_that_is_ended_leaves_nothing_behind(ended: tuple[Records, dict[str, Any], str]):
    left = [path for path in Path("/proc").glob("[0-9]*/cmdline") if b"sleep\x00987" in _content(path)]
    assert left == []


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_ansible_shows_it_as_it_shows_every_stage(ended: tuple[Records, dict[str, Any], str]):
    assert '"msg": "1 passed in ' in ended[2]
    assert re.search('"msg": "fails failed: .*non-zero return code.* \\(1 failed\\)"', ended[2])


class Shell:
    """As much of an action as is asked when its module could not be run: its host is this machine."""

    def __init__(self, folder: object, *, is_lost: bool = False) -> None:
        self.folder = str(folder)
        self.is_lost = is_lost

    def get_shell_option(self, _name: str, default: str) -> str:
        return self.folder or default

    def _remote_expand_user(self, path: str, _sudoable: bool) -> str:
        return path

    def _low_level_execute_command(self, command: str, sudoable: bool) -> dict[str, Any]:
        if self.is_lost:
            raise AnsibleConnectionFailure("reset")
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
        return {"rc": done.returncode, "stdout": done.stdout, "stderr": done.stderr}


NO_FOLDER = "Failed to create temporary directory. In some cases, you may have been able to authenticate"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (AnsibleConnectionFailure("Connection refused"), ("unreachable", "Connection refused")),
        (AnsibleConnectionFailure("connect via ssh: "), ("unreachable", "connect via ssh: ssh did not say why")),
        (AnsibleError("Incorrect sudo password"), ("error", "the become password is wrong: sudo refused it")),
        (AnsibleError("no such plugin"), ("error", "AnsibleError: no such plugin")),
        (AnsibleConnectionFailure(NO_FOLDER), ("error", "Ansible's temporary folder cannot be made")),
    ],
)
def test_why_a_module_could_not_be_run(tmp_path: Path, error: AnsibleError, expected: tuple[str, str]):
    assert _verdict_of_error(error, Shell(tmp_path / "tmp's")) == expected
    assert not [*tmp_path.glob("*/probe*")]


def test_a_temporary_folder_that_will_not_do_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for error in (AnsibleConnectionFailure(NO_FOLDER), AnsibleError("failed to transfer file to /x/y")):
        verdict, reason = _verdict_of_error(error, Shell(tmp_path / "file"))
        wanted = f"the temporary folder {tmp_path}/file of Ansible's modules cannot be used: Not a directory"
        assert (verdict, reason) == ("error", wanted)
    assert _verdict_of_error(AnsibleConnectionFailure(NO_FOLDER), Shell("", is_lost=True))[0] == "error"


HOOKED = [
    {"name": "echo", "module": "ansible.builtin.command", "args": {"cmd": "echo 1"}, "success": "none"},
    {"name": "after", "type": "shell", "module": "t.step", "depends_on": ["echo"], "success": "none"},
    {"name": "wrong", "module": "ansible.builtin.file", "args": {"state": "x"}, "success": "none"},
    {"name": "blocked", "type": "shell", "module": "t.step", "depends_on": ["wrong"], "success": "none"},
]
HOOKS = {"pre_step": [{"module": "t.note", "type": "shell", "args": {"text": "{{ inventory_hostname }}"}}]}


def test_hooks_run_around_it(tmp_path: Path):
    steps, keys, _output = run(tmp_path, a_play(HOOKED[:2], hooks=HOOKS))
    assert [record["verdict"] for record in steps.values()] == ["passed", "passed"]
    assert keys == {"t.hook_v1": "r1"}
    assert not list((tmp_path / ".rack-recipes/runs").glob("*/tmp*"))


def test_check_mode_is_ansible_s_own_and_blocks_nothing(tmp_path: Path):
    steps, keys, _output = run(tmp_path, a_play(HOOKED, hooks=HOOKS), "--check")
    assert {name: record["verdict"] for name, record in steps.items()} == {
        "echo": "skipped",
        "after": "skipped",
        "wrong": "failed",
        "blocked": "skipped",
    }
    assert keys == {}
