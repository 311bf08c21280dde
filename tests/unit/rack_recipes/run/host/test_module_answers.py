# SPDX-License-Identifier: GPL-3.0-or-later

"""A project's file with rules for the answers of modules: what it may say, and what is wrong with it and where."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

from rack_recipes.errors import UsageError
from rack_recipes.recipe.recipe_model import ResultPart
from rack_recipes.run.host.module_answers import (
    AnswerRule,
    AnswerRules,
    answer_rules,
    missing_on_controller,
    part_of,
    readable,
    unknown_module,
)

GOOD = """\
errors:
  - {modules: [site.lab.pdu_info], at: outlets, fields: {ok: false, code: 3}, reason: message}
  - {modules: ["*.lab_*"], text: ^oops}
no_errors:
  - {modules: [cisco.ios.ios_command], at: stdout.0, text: not active}
unreachable: ['^PDU is away']
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    answer_rules.cache_clear()


def test_all_that_a_file_can_say_comes_before_our_own_rules():
    Path("e.yml").write_text(GOOD)
    rules, ours = answer_rules("e.yml"), answer_rules("")
    assert rules.errors == (
        AnswerRule(("site.lab.pdu_info",), ("outlets",), fields={"ok": False, "code": 3}, reason="message"),
        AnswerRule(("*.lab_*",), text="^oops"),
        *ours.errors,
    )
    assert rules.no_errors == (AnswerRule(("cisco.ios.ios_command",), ("stdout", "0"), text="not active"),)
    assert rules.is_unreachable("PDU is away")
    assert not ours.is_unreachable("PDU is away")


def test_a_list_may_be_left_empty():
    Path("e.yml").write_text("errors:\nunreachable:\n")
    assert answer_rules("e.yml") == answer_rules("")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "e.yml:1:1: expected a mapping with errors, no_errors, unreachable, got an empty file"),
        ("- a", "e.yml:1:1: expected a mapping with errors, no_errors, unreachable, got a list"),
        (
            "error: []",
            "e.yml:1:1: expected one of errors, no_errors, unreachable, got 'error' (did you mean 'errors'?)",
        ),
        ("errors: {}", "e.yml:1:9: expected a list of rules, got an empty mapping"),
        ("errors: []", "e.yml:1:9: expected a list of rules, got an empty list"),
        ("errors: [a]", "e.yml:1:10: expected a rule, such as {modules: [site.lab.pdu_info], fields: {ok: false},"),
        (
            "errors: [{module: [a], text: b}]",
            "e.yml:1:11: expected one of modules, at, text, fields, reason, says, got",
        ),
        ("errors: [{module: [a], text: b}]", "got 'module' (did you mean 'modules'?)"),
        ("errors: [{text: b}]", "e.yml:1:10: expected modules in a rule (['*'] is every module), got none"),
        ("errors: [{modules: a, text: b}]", ":1:20: expected a list of module names, each of which may have * in it"),
        ("errors: [{modules: [1], text: b}]", ":1:21: expected text, got the number 1"),
        ("errors: [{modules: [a]}]", ":1:10: expected either text or fields in a rule, got neither"),
        (
            "errors: [{modules: [a], text: b, fields: {c: d}}]",
            "expected either text or fields in a rule, got both",
        ),
        ("errors: [{modules: [a], text: '(b'}]", ":1:31: expected a regular expression, got '(b' (missing ), "),
        ("errors: [{modules: [a], fields: {}}]", ":1:33: expected a mapping of fields to their values, such as"),
        ("errors: [{modules: [a], text: b, at: [c]}]", ":1:38: expected text, got a list"),
        ("errors: [{modules: [a], fields: {b: c}, reason: 1}]", ":1:49: expected text, got the number 1"),
        ("unreachable: a", ":1:14: expected a list of regular expressions, got 'a'"),
        ("unreachable: ['a{99999999999}']", ":1:15: expected a regular expression, got 'a{99999999999}'"),
        ("unreachable: ['']", ":1:15: expected text, got empty text"),
        ("a: b: c", "e.yml:1:"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(text: str, said: str):
    Path("e.yml").write_text(text)
    with pytest.raises(UsageError) as caught:
        answer_rules("e.yml")
    assert said in str(caught.value)


def test_a_file_that_is_not_there():
    with pytest.raises(UsageError, match=r"^none\.yml: cannot be read: No such file or directory$"):
        answer_rules("none.yml")


CASES = Path(__file__).parent / "cases"
RESULTS: list[dict[str, Any]] = yaml.safe_load((CASES / "results.yml").read_bytes())
MESSAGES: dict[str, list[str]] = yaml.safe_load((CASES / "messages.yml").read_bytes())


@pytest.mark.parametrize("case", RESULTS, ids=[case["case"] for case in RESULTS])
def test_errors_inside_of_results(case: dict[str, Any]):
    names = case.get("names", [case["module"]])
    assert answer_rules("").of(names).error_in(case["result"]) == case["error"]


@pytest.mark.parametrize(("kind", "message"), [(kind, text) for kind, texts in MESSAGES.items() for text in texts])
def test_whether_the_device_was_reached(kind: str, message: str):
    assert answer_rules("").is_unreachable(message) is (kind == "unreachable")


def test_what_a_project_says_is_no_error_is_none():
    none = AnswerRule(("cisco.*",), ("stdout", "1"), text="not active")
    rules = answer_rules("") + AnswerRules(no_errors=(none,))
    result = {"stdout": ["% BGP not active", "% BGP not active", "% Unknown"]}
    assert rules.of(["cisco.ios.ios_command"]).error_in(result) == "stdout.0: % BGP not active; stdout.2: % Unknown"
    assert rules.of(["arista.eos.eos_command"]).error_in({"stdout": ["", "% BGP not active"]})


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (r"b'show lldp nonsense\r\n% Invalid input\r\nnxos#'", "% Invalid input"),
        ('ConnectionError: b"show x\\r\\n ^\\r\\n% Invalid x\\r\\nsw#"', "^\n% Invalid x"),
        (r"b'leaf1#'", "b'leaf1#'"),
        (r"b'\xzz\n\n'", r"b'\xzz\n\n'"),
        ("b is no screen", "b is no screen"),
        ("", ""),
    ],
)
def test_the_screen_of_a_device_is_read_as_text(message: str, said: str):
    assert readable(message) == said


SSH = (
    "network_cli needs an SSH library: install ansible-pylibssh for the Python that runs Ansible "
    "(pip install ansible-pylibssh)"
)
PYLIBSSH = "Failed to import the required Python library (ansible-pylibssh) on vm's Python /usr/bin/python3. Please"
INSTALL = "install its collection on the machine that runs Ansible (ansible-galaxy collection install {})"


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            "Task failed: the connection plugin 'ansible.netcommon.network_cli' was not found",
            f"there is no connection ansible.netcommon.network_cli: {INSTALL.format('ansible.netcommon')}",
        ),
        ("ConnectionError: paramiko is not installed: No module named 'paramiko'", SSH),
        (PYLIBSSH, SSH),
        (
            "ncclient is not installed",
            "netconf needs the library ncclient: install it for the Python that runs Ansible (pip install ncclient)",
        ),
        (
            (
                "Task failed: Unable to automatically determine host network os. Please manually configure "
                "ansible_network_os value for this host"
            ),
            "the host needs the variable ansible_network_os, such as arista.eos.eos or cisco.nxos.nxos",
        ),
        (
            "Task failed: network os arista.eos.oes is not supported",
            (
                "there is no network OS arista.eos.oes here: correct the variable ansible_network_os of the host, or "
                "install the collection that it names on the machine that runs Ansible"
            ),
        ),
        ("ssh connection failed: ssh connect failed: Connection refused", ""),
        ("Failed to import the required Python library (psycopg2) on r01's Python /usr/bin/python3.", ""),
        ("", ""),
    ],
)
def test_what_to_do_where_something_is_missing(message: str, said: str):
    assert missing_on_controller(message) == said


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("no.such.module_command", f"there is no module no.such.module_command: {INSTALL.format('no.such')}"),
        (
            "rack.recipes.number_stats",
            "there is no module rack.recipes.number_stats, did you mean rack.recipes.numbers_stats?",
        ),
        ("ansible.builtin.comand", "there is no module ansible.builtin.comand, did you mean ansible.builtin.command?"),
        ("rack.recipes.zzz", "there is no module rack.recipes.zzz in its collection"),
    ],
)
def test_a_module_that_is_not_there(name: str, said: str):
    assert unknown_module(name) == said


RESULT: dict[str, Any] = {
    "changed": False,
    "stdout": ['{"swp1": {"mtu": 9000}}', "Switch OS 1.2", {"version": "4.31"}],
    "json": {"interfaces": [{"name": "Ethernet1"}]},
}


def part(at: str = "", parse: Literal["", "json"] = "") -> ResultPart:
    return ResultPart("a.key_v1", at, parse)


@pytest.mark.parametrize(
    ("taken", "found"),
    [
        (part(), RESULT),
        (part("stdout.1"), "Switch OS 1.2"),
        (part("json.interfaces.0.name"), "Ethernet1"),
        (part("stdout.0"), '{"swp1": {"mtu": 9000}}'),
        (part("stdout.0", "json"), {"swp1": {"mtu": 9000}}),
        (part("stdout.0.swp1.mtu", "json"), 9000),
        (part("stdout.2.version"), "4.31"),
        (part("stdout.2", "json"), {"version": "4.31"}),  # some modules have parsed it already
    ],
)
def test_the_part_at_a_path(taken: ResultPart, found: Any):
    assert part_of(RESULT, taken) == found


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        (part("stdot.0"), "the result has no 'stdot', did you mean stdout?"),
        (part("stdout.3"), "stdout has no '3': it is a list of 3"),
        (part("stdout.0.swp1"), 'stdout.0 has no \'swp1\': it is "{\\"swp1\\": {\\"mtu\\": 9000}}"'),
        (part("stdout.0.swp2", "json"), "stdout.0 has no 'swp2', did you mean swp1?"),
        (part("stdout.1", "json"), 'stdout.1 is no JSON: it is "Switch OS 1.2"'),
        (part("json.interfaces.one"), "json.interfaces has no 'one': it is a list of 1"),
    ],
)
def test_a_path_that_leads_nowhere(taken: ResultPart, said: str):
    with pytest.raises(ValueError) as caught:
        part_of(RESULT, taken)
    assert str(caught.value) == said


def test_json_that_is_too_deep_is_none():
    with pytest.raises(ValueError, match="is no JSON"):
        part_of({"stdout": "[" * 100_000}, part("stdout", "json"))
