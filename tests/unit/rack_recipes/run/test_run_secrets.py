# SPDX-License-Identifier: GPL-3.0-or-later

"""The secrets that a value shows, in what filters make of them."""

from __future__ import annotations

import html
import json
import os
import shlex
import textwrap
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from secrets import token_urlsafe
from typing import Any
from urllib.parse import quote, quote_plus

import markupsafe
import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import VaultLib, VaultSecret, VaultSecretsContext
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from rack_recipes.run import run_secrets
from rack_recipes.run.run_secrets import UNKNOWN, SecretRegistry, VaultValues, own_variables, secrets_shown_in

SECRETS = ["hunter2-of-r2", 'a "b" \\ ü→/+\nsecond line of it', 'it\'s <a> & "b"', "12345678", "abcd", "ab"]
FORMS: dict[str, Callable[[str], Any]] = {
    "itself": lambda text: text,
    "in a longer text": lambda text: {"url": [f"http://me:{text}@host"]},
    "a name": lambda text: [{f"<{text}>": None}],
    "to_json": lambda text: json.dumps({"a": text}),
    "to_json without escapes": lambda text: json.dumps([text], ensure_ascii=False),
    "urlencode": lambda text: f"x={quote(text)}",
    "urlencode of all": lambda text: quote(text, safe=""),
    "a form's field": quote_plus,
    "b64encode": lambda text: b64encode(text.encode()).decode(),
    "b64encode, one before": lambda text: b64encode(f"x{text}:y".encode()).decode(),
    "b64encode, two before": lambda text: b64encode(f"me{text}yy".encode()).decode(),
    "hexadecimal": lambda text: text.encode().hex(),
    "indent": lambda text: textwrap.indent(text, "    "),
    "quote": shlex.quote,
    "escape": lambda text: str(markupsafe.escape(text)),
    "xml": html.escape,
    "to_yaml": lambda text: yaml.safe_dump([text], default_style="'", width=1000),
    "trim": lambda text: text.strip(),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("secret", SECRETS[:5])
def test_what_filters_make_of_a_secret(secret: str, form: Callable[[str], Any]):
    assert secret in secrets_shown_in(SECRETS, ["before", form(secret), 5])
    assert f"{secret}\n" in secrets_shown_in([f"{secret}\n"], form(secret))


def test_nothing_else():
    assert secrets_shown_in(SECRETS, ["hunter", {"x": 1234567, "y": None}, "AB", ()]) == []
    assert secrets_shown_in(["", "\n"], ["", "x"]) == []
    assert secrets_shown_in([], ["hunter2"]) == []


def test_a_short_one_is_found_anywhere():
    assert secrets_shown_in(["ab", "xy"], ["c ab c"]) == ["ab"]


def test_a_number_is_looked_for_as_text():
    assert secrets_shown_in(SECRETS, [{"pin": 12345678}]) == ["12345678"]
    assert secrets_shown_in(SECRETS, [{"pin": 12345678.0}]) == ["12345678"]


def test_many_secrets_take_no_time():
    many = [token_urlsafe(16) for _number in range(2_000)]
    text = token_urlsafe(20_000)
    start = time.process_time()
    assert secrets_shown_in([*many, "it"], [text, f"<{many[7]}>", "it"]) == [many[7], "it"]
    assert time.process_time() - start < 1


BOX: dict[str, Any] = {"key": "a.box_v1", "scope": "host", "value": {"in": "zebra-7777"}, "shown": {"in": "********"}}


def in_child(work: Callable[[], object]) -> int:
    """Do something in a forked process; its exit code."""
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 0 if work() is not False else 2
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_what_one_process_adds_all_others_know():
    run = SecretRegistry(shared=True)
    assert run.is_shared
    for number in range(3):
        assert in_child(lambda number=number: run.add("r1", [{"secret": f"zebra-{number}"}])) == 0
    assert run.secrets_for("r2") == ["zebra-0", "zebra-1", "zebra-2"]
    assert in_child(lambda: run.secrets_for("r9") == ["zebra-0", "zebra-1", "zebra-2"]) == 0
    assert run.hidden("a zebra-1 in r2") == "a ******** in r2"


def test_many_processes_write_at_once():
    run = SecretRegistry(shared=True)
    pids = []
    for worker in range(8):
        pid = os.fork()
        if not pid:
            try:
                for number in range(50):
                    run.add(f"r{worker}", [{"secret": f"worker-{worker}-{number}-{'x' * 500}"}])
            finally:
                os._exit(0)
        pids.append(pid)
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 8
    assert len(run.secrets_for("")) == 400


def test_a_long_value_comes_whole():
    run = SecretRegistry(shared=True)
    value = "x" * 3_000_000
    in_child(lambda: run.add("r1", [{**BOX, "value": value, "shown": "********"}, {"secret": "zebra-7777"}]))
    held: dict[str, list[Any]] = {"a.box_v1": [3, "********"]}
    run.catch_up()
    assert run.reveal("r1", held)
    assert held == {"a.box_v1": [3, value]}
    assert run.secrets_for("r1") == ["zebra-7777"]


def test_the_stump_of_a_killed_writer_spoils_nothing():
    run = SecretRegistry(shared=True)
    os.write(run._file, b'\n{"secret": "ze')
    in_child(lambda: run.add("r1", [{"secret": "zebra-7777"}]))
    assert run.secrets_for("r1") == ["zebra-7777"]


def test_what_is_known_is_not_told_again():
    run = SecretRegistry(shared=True)
    assert run.add("r1", [{"secret": "zebra-7777"}, BOX])
    assert not run.add("r1", [{"secret": "zebra-7777"}, BOX])
    assert run.add("r2", [BOX])


def test_secrets_that_a_host_does_not_know_are_those_of_others():
    run = SecretRegistry(shared=True)
    run.hide("r1", ["shared-1", "own-secret-1"])
    run.hide("r2", ["shared-1", "own-secret-2"])
    run.hide_of_absent(["shared-1", "absent-3", "own-secret-2"])
    assert run.others_of("r1") == ["own-secret-2", "absent-3"]
    assert run.others_of("") == ["absent-3"]
    assert run.hidden("own-secret-2 absent-3") == "******** absent-3"
    run.hide("r1", ["absent-3"])  # it was given it
    assert run.others_of("r1") == ["own-secret-2"]
    assert run.hidden("absent-3") == "********"
    assert in_child(lambda: run.others_of("r2") == ["own-secret-1", "absent-3"]) == 0


def test_secrets_of_a_host_are_for_that_host_and_for_the_run():
    run = SecretRegistry()
    run.hide("r1", ["own-secret-1"])
    run.hide("r2", ["own-secret-2"])
    run.add("r1", [{"secret": "zebra-7777"}])
    assert run.secrets_for("r1") == ["zebra-7777", "own-secret-1"]
    assert run.secrets_for("") == ["zebra-7777", "own-secret-1", "own-secret-2"]
    assert run.hidden("own-secret-1 own-secret-2") == "******** ********"


def test_the_secret_of_one_host_is_in_no_text_about_another_one():
    """In one process for all hosts, too, where hosts fail while others still tell their secrets."""
    run = SecretRegistry(shared=True)
    for number in range(40):
        run.hide(f"r{number}", [f"planted-{number:02}-word", f"{number:02}-word-tail"])
        said = f"r{number}: planted-{number:02}-word-tail, planted-00-word and planted-39-word"
        known = f"r{number}: ********, ******** and "
        assert run.hidden(said) == known + ("********" if number == 39 else "planted-39-word")
        assert run.secrets_for(f"r{number}") == [f"planted-{number:02}-word", f"{number:02}-word-tail"]
    assert run.hidden("cGxhbnRlZC0wNy13b3Jk") == "********", "in base64"


def test_texts_about_many_hosts_are_masked_as_they_come():
    """As with one process for all hosts: made anew for each of them, the masks take ten seconds."""
    run = SecretRegistry()
    start = time.process_time()
    for number in range(200):
        run.hide(f"r{number}", [f"{number}-{token_urlsafe(9)}"])
        assert run.hidden("Connection refused") == "Connection refused"
    assert time.process_time() - start < 4


@pytest.mark.parametrize(
    ("place", "shown", "revealed"),
    [("r1", {"in": "********"}, True), ("r2", {"in": "********"}, False), ("r1", {"in": "new"}, False)],
)
def test_only_the_value_that_is_meant_is_revealed(place: str, shown: Any, revealed: bool):
    run = SecretRegistry()
    run.add("r1", [BOX])
    held: dict[str, list[Any]] = {"a.box_v1": [2, shown], "b_v1": [1, 1]}
    assert run.reveal(place, held) is revealed
    assert held == {"a.box_v1": [2, BOX["value"] if revealed else shown], "b_v1": [1, 1]}


def test_a_key_of_the_run_is_on_no_host():
    run = SecretRegistry()
    run.add("r1", [{**BOX, "scope": "run"}])
    held: dict[str, list[Any]] = {"a.box_v1": [2, BOX["shown"]]}
    assert not run.reveal("r1", held)
    assert run.reveal("", held)


def test_the_last_value_counts():
    run = SecretRegistry(shared=True)
    for value in ("first-value", "second-value"):
        run.add("r1", [{**BOX, "value": value, "shown": "********"}])
    held: dict[str, list[Any]] = {"a.box_v1": [2, "********"]}
    run.reveal("r1", held)
    assert held["a.box_v1"] == [2, "second-value"]


def test_without_anonymous_files_it_is_known_in_this_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(run_secrets.os, "memfd_create")
    run = SecretRegistry(shared=True)
    assert not run.is_shared
    assert run.add("r1", [{"secret": "zebra-7777"}])
    assert run.hidden("zebra-7777") == "********"


def test_what_would_hide_the_words_of_the_run_is_not_hidden_elsewhere():
    """Also where it hides them in another form, or only a part of them."""
    run = SecretRegistry()
    words = ["passed", "r01.example", "numbers.stats_v1", "ZHVtbXk="]
    texts = ["passed", "asse", "r01.", "stats", "dummy", "abc", "real-secret", "assed-"]
    kept = run.hidden_by([{"secret": text} for text in texts], words)
    assert [entry["secret"] for entry in kept] == ["real-secret", "assed-"]
    assert run.hidden_by([BOX], words) == [BOX]


def test_keys_that_scriptlets_declare_are_not_hidden_where_they_are_set():
    run = SecretRegistry()
    run.add("r1", [{"secret": "later"}, {"secret": "real-secret"}])
    run.hide("r2", ["later"])
    assert run.secrets_for("r1", iter(["a.later_v1"])) == ["real-secret"]
    assert run.secrets_for("r2", ["a.later_v1"]) == ["real-secret", "later"]
    assert run.secrets_for("r1") == ["later", "real-secret"]


VAULT_SECRETS = [("default", VaultSecret(b"the password of the vault"))]
INLINE, DEEP, SHORT = "inline-secret", "deep-secret", "abc"


@pytest.fixture
def loader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataLoader:
    """A project with an inline value and an encrypted file."""
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(VAULT_SECRETS))
    vault = VaultLib(VAULT_SECRETS)
    inline = vault.encrypt(INLINE).decode()
    lines = "".join(f"    {line}\n" for line in inline.splitlines())
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text(f"inline: !vault |\n{lines}open: not-secret\n")
    (tmp_path / "host_vars").mkdir()
    told = {"deep": {"list": [DEEP, 12345, True, SHORT]}, "template": "{{ open }}"}
    (tmp_path / "host_vars" / "r1.yml").write_bytes(vault.encrypt(json.dumps(told)))
    (tmp_path / "hosts.yml").write_text("all: {hosts: {r1: {}, r2: {}}}")
    made = DataLoader()
    made.set_basedir(str(tmp_path))
    made.set_vault_secrets(VAULT_SECRETS)
    return made


def variables(loader: DataLoader, host: str = "r1") -> dict[str, Any]:
    inventory = InventoryManager(loader, [f"{loader.get_basedir()}/hosts.yml"])
    manager = VariableManager(loader, inventory)
    found: dict[str, Any] = manager.get_vars(host=inventory.get_host(host))
    return found


def test_all_values_of_a_host_are_found(loader: DataLoader):
    vault = VaultValues(loader)
    assert (vault.is_open, vault.problem) == (True, "")
    assert {INLINE, DEEP, "12345"} <= set(vault.values_in(variables(loader)))
    assert {SHORT, "not-secret", "True"}.isdisjoint(vault.values_in(variables(loader)))
    assert vault.values_in(variables(loader, "r2")) == [INLINE]


def test_of_all_variables_only_those_of_the_host_itself(loader: DataLoader):
    deep = {"vars": variables(loader)["inline"], "hostvars": ["open"]}
    everything = {"deep": deep, "hostvars": {"r1": 1}, "vars": 2, "groups": {"all": ["r1"]}}
    assert own_variables(everything) == {"deep": deep}
    assert VaultValues(loader).values_in(own_variables(everything)) == [INLINE]


def test_what_a_template_passes_on_is_found(loader: DataLoader):
    found = variables(loader)
    from ansible.template import trust_as_template

    args = [{"args": {"word": trust_as_template("{{ inline }}"), "other": trust_as_template("{{ deep.list[0] }}")}}]
    filled = Templar(loader=loader, variables=found).template(args)
    assert set(VaultValues(loader).values_in(filled)) == {INLINE, DEEP}


def test_without_a_password_there_is_nothing_to_hide(loader: DataLoader):
    loader.set_vault_secrets(None)
    vault = VaultValues(loader)
    assert (vault.is_open, vault.problem) == (False, "")
    assert vault.values_in({"a": ["b"]}) == []


def test_a_value_that_cannot_be_decrypted_is_passed_over(loader: DataLoader, monkeypatch: pytest.MonkeyPatch):
    others = [("default", VaultSecret(b"another password"))]
    monkeypatch.setattr(VaultSecretsContext, "_current", VaultSecretsContext(others))
    assert VaultValues(loader).values_in(variables(loader, "r2")) == []


@pytest.mark.parametrize("missing", ["loader", "names"])
def test_an_ansible_with_other_names_is_told_of(loader: DataLoader, missing: str, monkeypatch: pytest.MonkeyPatch):
    if missing == "names":

        def other() -> None:
            raise ImportError

        monkeypatch.setattr(run_secrets, "_finder", other)
    else:
        del loader._vault
    vault = VaultValues(loader)
    assert (vault.is_open, vault.problem, vault.values_in(["x"])) == (False, UNKNOWN, [])


def test_what_holds_itself_ends(loader: DataLoader):
    data: dict[str, Any] = variables(loader)
    data["again"] = [data]
    assert INLINE in VaultValues(loader).values_in(data)
