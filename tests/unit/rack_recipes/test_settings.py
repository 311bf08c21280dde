# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import textwrap
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.config.manager import find_ini_config_file

from ansible_collections.rack.recipes.plugins.callback import recorder
from rack_recipes.errors import UsageError
from rack_recipes.settings import NAMES_OF_ALL, Settings, about_settings, config_file, load, meaning_of


@pytest.fixture(autouse=True)
def _nothing_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without settings, and a home without any."""
    for name in [name for name in os.environ if name.startswith(("RACK_RECIPES_", "ANSIBLE_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "home").mkdir()
    (tmp_path / "project").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path / "project")


def configure(text: str, path: str = "ansible.cfg") -> None:
    Path(path).write_text(text)


def refusal(extra_vars: dict[str, Any] | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        load(extra_vars)
    return str(caught.value)


def default_of(value: Any) -> list[str]:
    """A default as a value of YAML; a long list goes on in a second line."""
    text = ":".join(value) if isinstance(value, tuple) else value
    if isinstance(text, str) and len(text) > 100:
        middle = text.rindex(":", 0, len(text) // 2) + 1
        return [f'    default: "{text[:middle]}\\', f'      {text[middle:]}"']
    shown = f"{text:g}" if isinstance(text, float) else json.dumps(text)
    return [f"    default: {shown.strip('"') or '""'}"]


def documented(name: str, kind: str, default: Any, about: str) -> Iterator[str]:
    """A setting as an option of the recorder."""
    yield f"  {name}:"
    if len(about) < 100:
        yield f"    description: {about}"
    else:
        yield "    description:"
        yield from textwrap.wrap(
            about, 120, initial_indent="      - ", subsequent_indent=" " * 8, break_on_hyphens=False
        )
    yield from default_of(default)
    yield f"    type: {kind if kind in ('float', 'int', 'bool') else 'str'}"
    yield f"    ini: [{{section: rack_recipes, key: {name}}}]"
    yield f"    env: [{{name: RACK_RECIPES_{name.upper()}}}]"


def test_the_recorder_documents_the_settings(golden: Callable[[Path, str], None]):
    """Ansible reads them nowhere, but `ansible-doc -t callback rack.recipes.recorder` shows them."""
    path, about = Path(recorder.__file__), about_settings()
    assert [*about] == [*NAMES_OF_ALL]
    lines = [
        line
        for field in fields(Settings)
        for line in documented(field.name, str(field.type), getattr(Settings(), field.name), about[field.name])
    ]
    head, start, rest = path.read_text(encoding="utf-8").partition("\noptions:\n")
    options = "\n".join(lines)
    golden(path, f"{head}{start}{options}\n{rest[rest.index('"""') :]}")
    shown = {name: option["description"] for name, option in yaml.safe_load(options).items()}
    assert {name: text if isinstance(text, str) else text[0] for name, text in shown.items()} == about


def test_nothing_set():
    assert load() == Settings()


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("db", "mysql://user:p%40ss@host/rack", "mysql://user:p%40ss@host/rack"),
        ("runs", "/var/lib/rack runs", "/var/lib/rack runs"),
        ("scriptlets", "scriptlets:../shared::", ("scriptlets", "../shared")),
        ("flush_interval", "0.5", 0.5),
        ("flush_deltas", "500", 500),
        ("store_timeout", "1e2", 100.0),
        ("reconnect_timeout", "7", 7.0),
        ("slots", "16", 16),
        ("debug", "yes", True),
        ("log_level", "Warning", "warning"),
        ("log_level", "WARN", "warning"),
        ("merge", "power.*=deep_merge:limits_v1 = fail", (("power.*", "deep_merge"), ("limits_v1", "fail"))),
        ("merge", "*=hook site.merge_power:", (("*", "hook site.merge_power"),)),
        ("debug", "False", False),
        ("locked", "yes", True),
        ("policy", "/etc/rack/policy.yml", "/etc/rack/policy.yml"),
    ],
)
def test_each_setting_in_its_three_forms(name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch):
    assert getattr(load({f"rack_recipes_{name}": text}), name) == value
    configure(f"[rack_recipes]\n{name} = {text}  ; why\n")
    assert getattr(load(), name) == value
    configure("")
    monkeypatch.setenv(f"RACK_RECIPES_{name.upper()}", text)
    assert getattr(load(), name) == value


def test_an_extra_var_wins_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch):
    configure("[rack_recipes]\nslots = 1\nruns = of the file\n")
    assert load().slots == 1
    monkeypatch.setenv("RACK_RECIPES_SLOTS", "2")
    assert load().slots == 2
    assert load({"rack_recipes_slots": 3}).slots == 3
    assert load({"rack_recipes_slots": 3}).runs == "of the file"


def test_what_the_file_says_of_trust_cannot_be_undone(monkeypatch: pytest.MonkeyPatch):
    configure("[rack_recipes]\nlocked = true\npolicy = ours.yml\n")
    for variables in ({}, {"rack_recipes_locked": False, "rack_recipes_policy": "theirs.yml"}):
        for value in ("", "false"):
            monkeypatch.setenv("RACK_RECIPES_LOCKED", value)
            monkeypatch.setenv("RACK_RECIPES_POLICY", value)
            assert (load(variables).locked, load(variables).policy) == (True, "ours.yml")
    configure("[rack_recipes]\nlocked = false\n")
    assert load({"rack_recipes_locked": True, "rack_recipes_policy": "theirs.yml"}).locked is True
    assert load({"rack_recipes_policy": "theirs.yml"}).policy == "theirs.yml"


def test_extra_vars_keep_their_types():
    found = load({"rack_recipes_scriptlets": ["a", "b:c"], "rack_recipes_slots": 5.0, "rack_recipes_flush_interval": 2})
    assert (found.scriptlets, found.slots, found.flush_interval) == (("a", "b:c"), 5, 2.0)
    assert load({"rack_recipes_debug": True}).debug is True
    for given in ({"a.*": "fail", "*": "hook x"}, ["a.*=fail", "*=hook x"]):
        assert load({"rack_recipes_merge": given}).merge == (("a.*", "fail"), ("*", "hook x"))


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_value_is_none(empty: str | None, monkeypatch: pytest.MonkeyPatch):
    configure("[rack_recipes]\ndb =\n")
    monkeypatch.setenv("RACK_RECIPES_SLOTS", "")
    assert load({"rack_recipes_runs": empty}) == Settings()


def test_variables_of_others_are_left_alone():
    assert load({"db": "mine", "slots": "many", "rack_recipes_report": True, "recipe": "r.yml"}) == Settings()


RULES = (
    "expected rules such as power.*=deep_merge, separated by colons; the policies are last_write, fail, deep_merge "
    "and hook with the dotted name of a Python file, such as hook site.merge_power"
)
WRONG_RULES = ("power.*", "power.*=deep", "=fail", "a=hook ../x", "a=hook", 7, [7], {"a": 7}, {7: "fail"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("slots", "many", "expected a whole number above 0, got 'many'"),
        ("slots", "2.5", "expected a whole number above 0, got '2.5'"),
        ("slots", 2.5, "expected a whole number above 0, got 2.5"),
        ("slots", 0, "expected a whole number above 0, got 0"),
        ("slots", True, "expected a whole number above 0, got True"),
        ("slots", [1], "expected a whole number above 0, got [1]"),
        ("slots", float("inf"), "expected a whole number above 0, got inf"),
        ("flush_deltas", 0, "expected a whole number above 0, got 0"),
        ("flush_interval", "often", "expected a number of seconds above 0, got 'often'"),
        ("store_timeout", "-1", "expected a number of seconds above 0, got '-1'"),
        ("reconnect_timeout", "nan", "expected a number of seconds above 0, got 'nan'"),
        ("reconnect_timeout", "inf", "expected a number of seconds above 0, got 'inf'"),
        ("debug", "perhaps", "expected true or false, got 'perhaps'"),
        ("debug", [True], "expected true or false, got [True]"),
        ("db", 7, "expected text, got 7"),
        ("runs", ["a"], "expected text, got ['a']"),
        ("scriptlets", 7, "expected folders, separated by colons, got 7"),
        ("scriptlets", [7], "expected folders, separated by colons, got [7]"),
        *(("merge", value, f"{RULES}, got {value!r}") for value in WRONG_RULES),
    ],
)
def test_a_wrong_value_is_told_with_the_setting_s_meaning(name: str, value: object, expected: str):
    assert refusal({f"rack_recipes_{name}": value}) == f"rack_recipes_{name} ({meaning_of(name)}): {expected}"


def test_a_wrong_value_is_told_with_its_source(monkeypatch: pytest.MonkeyPatch):
    configure("[rack_recipes]\nslots = x\n")
    assert refusal().startswith("ansible.cfg: [rack_recipes] slots (how many")
    monkeypatch.setenv("RACK_RECIPES_SLOTS", "y")
    assert refusal().startswith("RACK_RECIPES_SLOTS (how many")
    assert load({"rack_recipes_slots": "3"}).slots == 3


@pytest.mark.parametrize(
    ("name", "hint"),
    [("slot", " (did you mean 'slots'?)"), ("colour", f"; there are {', '.join(NAMES_OF_ALL)}")],
)
def test_an_unknown_name_in_the_file(name: str, hint: str):
    configure(f"[rack_recipes]\n{name} = 1\n")
    assert refusal() == f"ansible.cfg: [rack_recipes] has no setting {name!r}{hint}"


@pytest.mark.parametrize(
    ("name", "meant"), [("SLOT", "SLOTS"), ("BD", "DB"), ("RECONNECT_TIMOUT", "RECONNECT_TIMEOUT"), ("db", "DB")]
)
def test_a_name_in_the_environment_that_is_nearly_a_setting(name: str, meant: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(f"RACK_RECIPES_{name}", "")
    told = f"there is no setting RACK_RECIPES_{name} (did you mean 'RACK_RECIPES_{meant}'?)"
    assert refusal() == f"the environment: {told}"


def test_other_variables_with_the_prefix_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    own = ("RUN_ID", "STARTED_BY", "PART", "ECHO", "TOKEN", "GRAFANA_PASSWORD", "UPLOAD", "UPLOAD_AUTHORIZATION")
    for name in (*own, "PORT", "SERVICE_HOST", "SERVICE_PORT", "PORT_8080_TCP"):  # Kubernetes sets the latter
        monkeypatch.setenv(f"RACK_RECIPES_{name}", "1")
    assert load() == Settings()


@pytest.mark.parametrize("text", ["[rack_recipes\nslots = 1\n", "slots = 1\n", "[defaults]\n[defaults]\n"])
def test_a_file_that_is_no_ini_file(text: str):
    configure(text)
    assert refusal().startswith("ansible.cfg: cannot be read as an ini file: ")


def test_a_file_that_is_not_text():
    Path("ansible.cfg").write_bytes(b"[rack_recipes]\nruns = \xff\n")
    assert refusal().startswith("ansible.cfg: cannot be read as an ini file: ")


def as_ansible_has_it() -> str | None:
    path = find_ini_config_file()
    return None if path is None else os.path.realpath(path)


def ours() -> str | None:
    path = config_file()
    return None if path is None else os.path.realpath(path)


@pytest.mark.parametrize("mode", [0o755, 0o777])
@pytest.mark.parametrize(
    "named", [None, "", "../named.cfg", "../folder", "$HOME/in_home.cfg", "~/in_home.cfg", "absent.cfg"]
)
@pytest.mark.parametrize("here", [False, True])
def test_the_file_is_the_one_that_ansible_reads(
    here: bool, named: str | None, mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for path in ("named.cfg", "home/.ansible.cfg", "home/in_home.cfg", *(["project/ansible.cfg"] if here else [])):
        (tmp_path / path).write_text("[defaults]\n")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/ansible.cfg").write_text("[defaults]\n")
    (tmp_path / "project").chmod(mode)
    if named is not None:
        monkeypatch.setenv("ANSIBLE_CONFIG", named)
    assert ours() == as_ansible_has_it()


def test_no_file_at_all():
    assert config_file() is None or config_file() == Path("/etc/ansible/ansible.cfg")
