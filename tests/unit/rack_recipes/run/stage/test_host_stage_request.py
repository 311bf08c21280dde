# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is told to hide, and what it is told of values that are written masked."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible._internal._datatag._tags import VaultedValue

from ansible_collections.rack.recipes.plugins.module_utils.runner.main import encrypt_entries
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import delta, planned, step
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.stage.scripted_host import Host
from rack_recipes.errors import UsageError
from rack_recipes.journal.append import append
from rack_recipes.run.current_run import Run, RunInputs
from rack_recipes.run.host.host_answer import read_answer
from rack_recipes.run.run_secrets import NOT_SHARED, SecretRegistry
from rack_recipes.run.stage.host_stage_request import HostStage, add_secrets, has_secrets, salt_beside
from rack_recipes.run.stage.run_stage import run_stage

VARS = {"inventory_hostname": "r1", "ansible_python_interpreter": "python3"}
STEP: dict[str, Any] = {"name": "a", "type": "shell", "module": "s"}


@pytest.fixture(autouse=True)
def run(begin: Callable[..., Run]) -> Run:
    """A run whose scriptlet has an option that is secret."""
    options = "{word: {type: raw, no_log: true}, user: {type: raw}, token: {type: raw}}"
    made = begin(planned("a"), planned("b", stage=2), options=options)
    made.secret_registry = SecretRegistry(shared=True)
    return made


def sent(run: Run, args: dict[str, Any] | None = None, host: Host | None = None, **variables: Any) -> dict[str, Any]:
    """The message to a host."""
    host = host or Host()
    host.answers.append(("ended", [step("a", "r1")]))
    run_stage(host, 1, [{**STEP, "args": args or {}}], {}, {**VARS, **variables})
    return host.asked[-1]


def test_without_secrets_there_is_no_salt(run: Run):
    message = sent(run, {"user": "somebody"})
    assert (message["secrets"], "salt" in message) == ([], False)
    assert "*password" in message["secret_keys"]
    assert not Path(run.settings.runs).with_name("salt").exists()


@pytest.mark.parametrize(
    ("given", "soon"),
    [({}, None), ({"debug": True}, True), ({"log_level": "error"}, True), ({"flush_interval": 4.9}, True)],
)
def test_settings_of_the_project_reach_the_host(run: Run, given: dict[str, Any], soon: bool | None):
    run.settings = replace(run.settings, step_timeout=7.0, **given)
    message = sent(run)
    assert (message["steps"][0]["timeout"], message.get("soon")) == (7.0, soon)


def test_with_secrets_there_is_one(run: Run):
    run.inputs = RunInputs(secrets=("s3cret",))
    message = sent(run)
    assert message["secrets"] == ["s3cret"]
    assert message["salt"] == Path(run.settings.runs).with_name("salt").read_bytes().hex()


def test_arguments_by_their_options_and_names(run: Run):
    args = {"word": "of-the-option", "token": "of-the-name", "user": "somebody"}
    assert sent(run, args)["secrets"] == ["of-the-name", "of-the-option"]
    assert sent(run)["secrets"] == ["of-the-name", "of-the-option"]  # a later stage may print them
    assert run.secret_registry.secrets_for("r2") == []


def test_what_is_no_value_yet_is_no_secret(run: Run):
    assert sent(run, {"word": "${params.word}", "token": "${a.b_v1}"})["secrets"] == []


def test_variables_by_their_names(run: Run):
    named = {"ansible_become_password": "of-become", "bmc_token": "{{ elsewhere }}", "snmp_passwords": "open"}
    assert sent(run, **named, api_token="abc", snmp_token=123456)["secrets"] == ["of-become"]


def test_variables_deep_inside_of_others(run: Run):
    variables = {
        "the_token": ["in-a-list"],
        "bmc": {"password": "in-a-mapping", "user": "somebody"},
        "my_credentials": {"x": [{"y": "in-both"}]},
    }
    variables["vars"] = variables["hostvars"] = {"r2": {"bmc_password": "of-another"}}
    variables["rack_recipes_recipe"] = {"params": {"a_password": {"type": "str", "description": "What it is for"}}}
    assert sent(run, **variables)["secrets"] == ["in-a-list", "in-a-mapping", "in-both"]


def test_arguments_of_hooks_by_their_names(run: Run):
    hook = {"module": "s", "type": "shell", "args": {"token": "of-the-hook", "user": "somebody"}}
    run.inputs = RunInputs(recipe={"hooks": {"pre_step": [hook]}})
    assert sent(run, rack_recipes_recipe=run.inputs.recipe)["secrets"] == ["of-the-hook"]


def test_the_passwords_of_the_connection(run: Run):
    def options(**known: str) -> SimpleNamespace:
        return SimpleNamespace(get_option=lambda name: known[name], transport="test", become=None)

    host = Host()
    host._connection = options(password="of-the-login")
    host._connection.become = options(become_pass="of-the-plugin")
    host._play_context = SimpleNamespace(no_log=False, password="asked-for", become_pass="asked-too")
    assert sent(run, host=host)["secrets"] == ["asked-for", "asked-too", "of-the-login", "of-the-plugin"]


def test_values_of_a_vault(run: Run):
    host = Host()
    host._loader._vault.secrets = ["one"]
    value = VaultedValue(ciphertext="$ANSIBLE_VAULT").tag("of-the-vault")
    other = VaultedValue(ciphertext="$ANSIBLE_VAULT").tag("of-another")
    message = sent(run, {"user": other}, host, deep={"list": [value, "open"]}, hostvars={"r2": value})
    assert message["secrets"] == ["of-another", "of-the-vault"]
    assert run.hidden("of-the-vault") == "********"
    assert run.secret_registry.secrets_for("r2") == []


def test_the_secrets_of_another_host_go_where_an_argument_shows_them(run: Run):
    run.secret_registry.hide("r2", ["of-r2-alone", "of-r2-given", 'of "r2" quoted', "of-r2-hook"])
    args = {"user": {"url": "http://me:of-r2-given@host", "json": '{"a": "of \\"r2\\" quoted"}'}}
    hook = {"module": "s", "type": "shell", "args": {"user": "<of-r2-hook>"}}
    run.inputs = RunInputs(recipe={"hooks": {"post_step": [hook]}})
    expected = ['of "r2" quoted', "of-r2-given", "of-r2-hook"]
    assert sent(run, args, rack_recipes_recipe=run.inputs.recipe)["secrets"] == expected
    run.inputs = RunInputs()
    assert sent(run)["secrets"] == expected  # a later stage may print them
    assert run.secret_registry.secrets_for("r3") == []


def test_a_module_that_is_given_a_secret_of_another_host_logs_nothing(run: Run):
    run.secret_registry.hide("r2", ["of-r2-given"])
    for text, expected in (("somebody", False), ("<of-r2-given>", True)):
        part = HostStage(run, 1, "r1", [{**STEP, "args": {"user": text}}], {}, Host(), VARS, str)
        assert has_secrets(part) is expected


def test_with_no_log_all_arguments_are_secret_in_this_stage(run: Run):
    host = Host()
    host._task.no_log = True
    assert sent(run, {"user": {"a": ["anything", "eth0", "x"]}}, host)["secrets"] == ["anything", "eth0"]
    assert sent(run)["secrets"] == []


def test_what_a_host_registered_goes_to_all_others(run: Run):
    run.secret_registry.add("r2", [{"secret": "zebra-7777"}])
    assert sent(run)["secrets"] == ["zebra-7777"]


def test_a_value_that_is_written_masked_is_what_it_was(run: Run):
    masked = "********"
    append(run.path, [delta("a.box_v1", masked), delta("b.box_v1", masked, n=2, scope="run"), delta("c_v1", 1, n=3)])
    run.catch_up()
    told = [
        {"key": key, "scope": scope, "value": f"real-{scope}", "shown": masked}
        for key, scope in (("a.box_v1", "host"), ("b.box_v1", "run"))
    ]
    run.secret_registry.add("r1", told)
    context = sent(run)["context"]
    assert context["own"] == {"a.box_v1": [1, "real-host"], "c_v1": [1, 1]}
    assert context["run"] == {"b.box_v1": [1, "real-run"]}
    assert run.context.get("a.box_v1", "r1") == masked


def test_the_secrets_of_others_come_with_their_keys(run: Run):
    run.secret_registry.hide("r2", ["of-r2-here", "of-r2-there"])
    run.secret_registry.add("r2", [{"key": "a_v1", "scope": "host", "value": "<of-r2-here>", "shown": "<********>"}])
    part = HostStage(run, 1, "r1", [STEP], {}, Host(), VARS, str)
    message: dict[str, Any] = {
        "steps": [],
        "context": {"own": {}, "run": {}, "hosts": {"r2": {"a_v1": [1, "<********>"]}}},
    }
    add_secrets(part, message)
    assert message["context"]["hosts"]["r2"]["a_v1"] == [1, "<of-r2-here>"]
    assert message["secrets"] == ["of-r2-here"]


class Tells(Host):
    """A host that has something to tell in memory alone."""

    def _low_level_execute_command(self, command: str, in_data: bytes) -> dict[str, Any]:
        done = super()._low_level_execute_command(command, in_data)
        text = encrypt_entries(bytes.fromhex(self.asked[-1]["seal"]), b'{"secret": "zebra-7777"}\n')
        return {**done, "stdout": done["stdout"].replace('"boot_id"', f'"concealed": "{text}", "boot_id"')}


def test_what_a_host_tells_is_known_before_its_records_are_written(run: Run, monkeypatch: pytest.MonkeyPatch):
    order: list[bool] = []
    add = run.secret_registry.add

    def told(host: str, entries: Any) -> bool:
        order.append(b'"kind":"step"' in run.path.read_bytes())
        return add(host, entries)

    monkeypatch.setattr(run.secret_registry, "add", told)
    result = run_stage(Tells(("ended", [step("a", "r1", "failed", reason="no ********")])), 1, [STEP], {}, VARS)
    assert order[-1] is False
    assert run.secret_registry.secrets_for("r2") == ["zebra-7777"]
    assert "zebra" not in str(result)


def test_where_it_cannot_be_shared_a_warning_says_so(run: Run):
    run.secret_registry = SecretRegistry()
    host = Tells(("ended", [step("a", "r1")]))
    warnings: list[str] = []
    host._display = SimpleNamespace(warning=warnings.append)  # type: ignore[attr-defined]
    run_stage(host, 1, [STEP], {}, VARS)
    assert warnings == [NOT_SHARED]


def test_an_answer_without_any_has_none():
    assert read_answer("x", 0, "noise", "").concealed == ()


@pytest.mark.parametrize(
    ("said", "no_log", "expected"),
    [
        ({"args": {"user": "somebody"}}, False, False),
        ({"args": {"password": "somebody"}}, False, True),
        ({"args": {"user": "${item.name}"}, "loop": [{"name": "somebody"}]}, False, False),
        ({"args": {"user": "${item.token}"}, "loop": [{"token": "somebody"}]}, False, True),
        ({"args": {"user": "${matrix.token}"}, "matrix": {"token": ["somebody"]}}, False, True),
        ({}, True, True),
    ],
)
def test_when_a_module_logs_nothing(run: Run, said: dict[str, Any], no_log: bool, expected: bool):
    host = Host()
    host._task.no_log = no_log
    assert has_secrets(HostStage(run, 1, "r1", [{**STEP, **said}], {}, host, VARS, str)) is expected


def test_it_is_made_once_for_its_owner_alone(tmp_path: Path):
    runs = tmp_path / ".rack-recipes" / "runs"
    salt = salt_beside(runs)
    path = runs.parent / "salt"
    assert (salt, len(salt)) == (path.read_bytes().hex(), 64)
    assert path.stat().st_mode & 0o777 == 0o600
    assert runs.parent.stat().st_mode & 0o777 == 0o700
    assert salt_beside(runs) == salt
    assert [each.name for each in runs.parent.iterdir()] == ["salt"]
    assert salt_beside(tmp_path / "other" / "runs") != salt


def test_all_who_begin_at_once_have_the_same(tmp_path: Path):
    reading, writing = os.pipe()
    pids = []
    for _worker in range(12):
        pid = os.fork()
        if not pid:
            try:
                os.write(writing, salt_beside(tmp_path / "new" / "runs").encode() + b"\n")
            finally:
                os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 12
    os.close(writing)
    with os.fdopen(reading) as told:
        assert set(told.read().split()) == {salt_beside(tmp_path / "new" / "runs")}
    assert [each.name for each in (tmp_path / "new").iterdir()] == ["salt"]


def made(path: Path, content: bytes = bytes(32), mode: int = 0o600) -> None:
    path.write_bytes(content)
    path.chmod(mode)


@pytest.mark.parametrize(
    ("content", "mode", "text"),
    [
        (b"short", 0o600, "expected 32 bytes, found 5: remove it"),
        (bytes(33), 0o600, "expected 32 bytes, found 33: remove it"),
        (bytes(32), 0o644, "others can read it: chmod 600, or remove it"),
    ],
)
def test_what_is_no_salt_is_refused(tmp_path: Path, content: bytes, mode: int, text: str):
    made(tmp_path / "salt", content, mode)
    with pytest.raises(UsageError) as caught:
        salt_beside(tmp_path / "runs")
    assert str(caught.value) == f"{tmp_path}/salt (salt of the digests of secrets): {text}"


def test_a_link_is_not_followed(tmp_path: Path):
    made(tmp_path / "elsewhere")
    (tmp_path / "salt").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match="Too many levels of symbolic links"):
        salt_beside(tmp_path / "runs")
