# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets are planted at every input. No byte that a run writes contains them, on the controller and on its hosts."""

from __future__ import annotations

import gzip
import io
import json
import secrets
import shutil
import sqlite3
import time
import zipfile
from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from ansible.parsing.vault import VaultLib, VaultSecret

import reliability_sweeps
from call_rack_recipes import Done, rack_recipes, run_recipe
from planted_secrets import Search, forms_of, watched

VAULT_PASSWORD = "the password of the vault"
HOSTS = ("r01", "r02")
OTHER = "r03"  # is in the inventory, but not in the run
CASES = Path(__file__).parent / "cases" / "canaries"
PLACES = ("/var/tmp/rack-recipes-{uid}", "/tmp/rack-recipes-{uid}")  # where the executor works
# What each of these entries is, is said where it is used.
ENTRIES = (
    "param on the command line",
    "param of a file",
    "odd param",
    "extra var",
    "inline vault",
    "vault file",
    "no_log option",
    "named argument",
    "named mapping",
    "named variable",
    "param with a name inside",
    "vault of another host",
    "URL in the inventory",
    "URL of a param",
    "module's input",
    "module's password",
    "become password",
    "registered by Python on r01",
    "registered by Python on r02",
    "registered by an envelope on r01",
    "registered by an envelope on r02",
    "found under a name on r01",
    "found under a name on r02",
    "long and registered late on r01",
    "long and registered late on r02",
)
FORMATS = ("html", "xlsx", "csv", "md", "md-full", "json", "junit", "ocp")


def canary() -> str:
    return f"Kq{secrets.token_hex(12)}Zw"


@pytest.fixture
def planted() -> dict[str, str]:
    """A canary for each entry, one with all that has to be quoted somewhere."""
    found = {name: canary() for name in ENTRIES}
    odd = canary()
    found["odd param"] = f'{odd[:14]} "quo\'te" \\ ünï→ &<%\n{odd[14:]}'
    found["URL in the inventory"] = f"{canary()}%40{canary()}"
    for host in HOSTS:
        found[f"long and registered late on {host}"] = "".join(canary() for _part in range(30))
    return found


class Inputs:
    """What the test gives: its own files, apart from the project."""

    def __init__(self, folder: Path, planted: dict[str, str], rack: Any) -> None:
        self.folder = folder
        self.planted = planted
        folder.mkdir()
        (folder / "vault-password").write_text(VAULT_PASSWORD)
        self._param_file()
        self._variables()
        self.tokens = [self._token(Path(rack.folder, host), host) for host in HOSTS]

    def _param_file(self) -> None:
        given = {"file": self.planted["param of a file"], "odd": self.planted["odd param"]}
        given["url"] = url_with(self.planted["URL of a param"])
        given["conf"] = {"of": [{"password": self.planted["param with a name inside"]}]}
        (self.folder / "params.json").write_text(json.dumps(given))

    def _variables(self) -> None:
        """As AWX gives them: a parameter by its own name, and variables that nothing marks as secret."""
        given = {
            "survey": self.planted["extra var"],
            "c_hidden": self.planted["no_log option"],
            "c_named": self.planted["named argument"],
            "c_mapping": self.planted["named mapping"],
            "c_deep": {"tokens": [{"c_token": [self.planted["named variable"]]}]},
            "c_module_password": self.planted["module's password"],
            "ansible_become_password": self.planted["become password"],
        }
        (self.folder / "extra.json").write_text(json.dumps(given))
        url = {"c_url": url_with(self.planted["URL in the inventory"])}
        (self.folder / "more.yml").write_text(json.dumps({"all": {"hosts": dict.fromkeys(HOSTS, url)}}))

    def _token(self, home: Path, host: str) -> Path:
        """What steps find on a host."""
        folder = home / "tokens"
        folder.mkdir(exist_ok=True)
        (folder / "python").write_text(self.planted[f"registered by Python on {host}"])
        (folder / "found").write_text(self.planted[f"found under a name on {host}"])
        (folder / "late").write_text(self.planted[f"long and registered late on {host}"])
        (folder / "shell").write_text(self.planted[f"registered by an envelope on {host}"])
        return folder


def url_with(password: str) -> str:
    return f"postgres://rack:{password}@db.example/rack"


def write_project(project: Path, inputs: Inputs, rack: Any) -> None:
    shutil.copytree(CASES / "scriptlets", project / "scriptlets")
    vault = VaultLib([("default", VaultSecret(VAULT_PASSWORD.encode()))])
    inline = "".join(f"    {line}\n" for line in vault.encrypt(inputs.planted["inline vault"]).decode().splitlines())
    (project / "group_vars").mkdir()
    (project / "group_vars" / "all.yml").write_text(f"c_inline: !vault |\n{inline}")
    (project / "host_vars").mkdir()
    told = {"c_file": {"deep": [inputs.planted["vault file"]]}, "c_input": inputs.planted["module's input"]}
    for host in HOSTS:
        (project / "host_vars" / f"{host}.yml").write_bytes(vault.encrypt(json.dumps(told)))
    other = {"c_other": f"{inputs.planted['vault of another host']}\n"}
    (project / "host_vars" / f"{OTHER}.yml").write_bytes(vault.encrypt(json.dumps(other)))
    shutil.copy(rack.inventory, project / "inventory.yml")
    (project / "recipe.yml").write_text(json.dumps(recipe(inputs), indent=1))


def recipe(inputs: Inputs) -> dict[str, Any]:
    """Steps that tell all that they get, and later ones that tell it without knowing that it is secret."""
    every = [*("${params.line}", "${params.file}", "${params.odd}", "${params.survey}")]
    every.append("${params.conf.of.0.password}")
    vaulted = ["{{ c_inline }}", "url://{{ c_file.deep[0] }}/", "{{ ansible_become_password }}"]
    vaulted += ["${params.url}", "{{ c_url }}", "{{ c_url.split(':')[2].split('@')[0] | urldecode }}"]
    vaulted += ["{{ c_deep.tokens[0].c_token | first }}", f"url://{{{{ hostvars['{OTHER}'].c_other | trim }}}}/"]
    files = [str(folder / name) for folder in inputs.tokens for name in ("python", "shell")]
    after = [{"step": "register", "hosts": "all"}, {"step": "envelope", "hosts": "all"}]
    steps: list[dict[str, Any]] = [
        {
            "name": "leak",
            "module": "c.print_in_every_form",
            "continue_on_fail": True,
            "args": {"texts": every + vaulted},
        },
        {"name": "register", "module": "c.register_secret", "args": {"file": "~/tokens/python"}},
        {"name": "late", "module": "c.read_and_cut", "success": "none", "args": {"file": "~/tokens/late"}},
        {"name": "envelope", "module": "c.envelope", "type": "shell", "args": {"file": "~/tokens/shell"}},
        {
            "name": "cat",
            "module": "c.print_files",
            "depends_on": after,
            "args": {"files": files, "given": "${c.box_v1.in}"},
        },
        {
            "name": "gather",
            "module": "c.print_values_of_hosts",
            "scope": "run",
            "depends_on": [{"step": "register", "hosts": "all"}],
        },
        module("command", {"cmd": "cat", "stdin": "{{ c_input }}"}, writes=["c.cat_v1"]),
        module("uri", {"url": "http://127.0.0.1:9/", "url_username": "me", "url_password": "{{ c_module_password }}"}),
    ]
    steps[0]["args"].update(hidden="{{ c_hidden }}", bmc_password="{{ c_named }}")
    steps[0]["args"]["bmc_credentials"] = {"of": [{"code": "{{ c_mapping }}"}]}
    params: dict[str, Any] = {name: {"type": "str", "secret": True} for name in ("line", "file", "odd", "survey")}
    params |= {"conf": {"type": "dict"}, "url": {"type": "str"}}
    return {"test_meta": {"test_id": "CANARIES"}, "params": params, "steps": steps}


def module(name: str, args: dict[str, Any], **fields: Any) -> dict[str, Any]:
    step = {"name": name, "type": "ansible", "module": f"ansible.builtin.{name}", "args": args}
    return {**step, "success": "none", "continue_on_fail": True, **fields}


def run(inputs: Inputs) -> Done:
    """All entries at once, and everything told that can be told."""
    line = f"line={inputs.planted['param on the command line']}"
    given = ("--param", line, "--param-file", inputs.folder / "params.json")
    hosts = (
        "-i",
        "inventory.yml",
        "-i",
        inputs.folder / "more.yml",
        "--limit",
        ",".join(HOSTS),
        "-e",
        f"@{inputs.folder / 'extra.json'}",
    )
    ansible = ("--", "-vvv", "--vault-password-file", inputs.folder / "vault-password")
    return run_recipe("recipe.yml", *given, *hosts, "--debug", "--report", *ansible)


def told(run_id: str) -> list[Done]:
    """All that commands say of the run."""
    commands = (
        ("show", run_id),
        ("show", "--json", run_id),
        ("runs", "--json"),
        ("ctx", "show", run_id),
        ("ctx", "history", "c.texts_v1"),
        ("ctx", "export", run_id),
        ("report", run_id, *(word for each in FORMATS for word in ("--format", each))),
        ("export", run_id, "--to", "pack.zip"),
    )
    return [rack_recipes(*command) for command in commands]


def test_no_byte_holds_a_canary(project: Path, tmp_path_factory: pytest.TempPathFactory, rack: Any, planted: Any):
    inputs = Inputs(tmp_path_factory.mktemp("given") / "inputs", planted, rack)
    write_project(project, inputs, rack)
    search, began = Search(planted), time.time() - 1  # the clock of a file system may be a little behind
    with reliability_sweeps.sweep("canaries", "0 found") as made:
        line = "param on the command line"
        with watched(search, {line: f"line={planted[line]}"}):
            done = run(inputs)
        said = told(done.answer["run_id"])
        for number, each in enumerate((done, *said)):
            search.look_at(f"stdout of command {number}", each.stdout.encode())
            search.look_at(f"stderr of command {number}", each.stderr.encode())
        search.look_below(project)
        search.look_below(rack.folder, but=inputs.tokens)
        for place in PLACES:
            search.look_below(Path(place.format(uid=_uid())), since=began)
        made.done = len(planted)
        made.found = {"files": search.files, "bytes": search.size}
        made.found.update(canaries=len(planted), found=len(search.found))
    assert not search.found, "\n".join(search.found[:40])
    assert all(each.code == 0 for each in said), [each.stderr for each in said if each.code]
    _check_that_steps_had_them(project, planted, done, said[1].answer)


def _uid() -> int:
    return Path("/proc/self").stat().st_uid


def _check_that_steps_had_them(project: Path, planted: dict[str, str], done: Done, shown: dict[str, Any]) -> None:
    """Nothing is proven by what never arrived: each step got the true values, and told them, masked."""
    steps = {(step["step"], step["host"]): step for step in shown["steps"]}
    context = {(entry["key"], entry["host"]): entry["value"] for entry in shown["context"]}
    verdicts = {place: step["verdict"] for place, step in steps.items()}
    bad = {"leak": "error", "uri": "failed"}
    assert verdicts == {place: bad.get(place[0], "passed") for place in verdicts}, done.stderr
    args = ("param on the command line", "param of a file", "odd param", "extra var", "param with a name inside")
    texts = [planted[name] for name in (*args, "inline vault")]
    texts += [f"url://{planted['vault file']}/", planted["become password"], url_with(planted["URL of a param"])]
    texts += [url_with(planted["URL in the inventory"]), planted["URL in the inventory"].replace("%40", "@")]
    texts += [planted["named variable"]]
    texts += [f"url://{planted['vault of another host']}/", planted["no_log option"], planted["named argument"]]
    whole = "|".join([*texts, planted["named mapping"]])
    for host in HOSTS:
        token = planted[f"registered by Python on {host}"]
        assert context["c.arrived_v1", host] == sha256(whole.encode()).hexdigest()
        assert context["c.made_v1", host] == context["c.given_v1", host] == sha256(token.encode()).hexdigest()
        assert context["c.gathered_v1", ""][host] == sha256(token.encode()).hexdigest()
        assert context["c.box_v1", host] == {"in": "********"}
        found = sha256(planted[f"found under a name on {host}"].encode()).hexdigest()
        assert context["c.found_v1", host] == context["c.gathered_logins_v1", ""][host] == found
        assert context["c.login_v1", host] == {"user": "root", "logins": [{"password": "********"}]}
        assert context["c.session_token_v1", host] == context["c.bmc_password_v1", host] == "********"
        assert context["c.shell_v1", host] == "<********>"
        assert context["c.cat_v1", host]["stdout"] == "********"
        assert "********" in steps["cat", host]["stdout"]
    assert (project / ".rack-recipes" / "salt").stat().st_mode & 0o777 == 0o600


def test_the_password_of_a_store_that_is_away(project: Path):
    """It stands in the settings, which are the test's own, and nowhere else."""
    password = canary()
    url = f"postgresql+psycopg://rack:{password}@127.0.0.1:9/rack"
    settings = project / "ansible.cfg"
    settings.write_text(f"{settings.read_text()}\n[rack_recipes]\ndb = {url}\nstore_timeout = 2\n")
    shutil.copytree(CASES / "scriptlets", project / "scriptlets")
    (project / "password").write_text(password)
    step = {"name": "cat", "module": "c.envelope", "type": "shell", "args": {"file": str(project / "password")}}
    (project / "recipe.yml").write_text(json.dumps({"test_meta": {"test_id": "STORE"}, "steps": [step]}))
    search = Search({"database": password})
    with watched(search, {}):
        done = run_recipe("recipe.yml", "--debug", "--", "-vvv")
    assert done.code == 5, done.stderr
    search.look_at("stdout", done.stdout.encode())
    search.look_at("stderr", done.stderr.encode())
    search.look_below(project, but=[settings, project / "password"])
    assert not search.found, "\n".join(search.found)


def _database(path: Path, text: str) -> bytes:
    store = sqlite3.connect(path)
    store.execute("create table t (x text)")
    store.execute("insert into t values (?)", [text])
    store.commit()
    store.close()
    return path.read_bytes()


def _zip(text: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet.xml", text)
    return target.getvalue()


HIDDEN_IN = {
    "plain": lambda text, _path: f"<{text}>".encode(),
    "lines": lambda text, _path: "\n   ".join(text).encode(),
    "escaped lines": lambda text, _path: json.dumps("\n".join(text)).encode(),
    "base64": lambda text, _path: b64encode(f"xx{text}".encode()),
    "half": lambda text, _path: f"...{text[-20:]}".encode(),
    "json": lambda text, _path: json.dumps({text: 1}).encode(),
    "zip": lambda text, _path: _zip(text),
    "gzip": lambda text, _path: gzip.compress(text.encode()),
    "database": lambda text, path: _database(path, f"{'x' * 4080}{text}"),
}


@pytest.mark.parametrize("name", HIDDEN_IN)
@pytest.mark.parametrize("text", [canary(), f'a "b" {canary()} ü\n{canary()}'], ids=["token", "odd"])
def test_the_search_finds_what_is_there(tmp_path: Path, name: str, text: str):
    path = tmp_path / "file"
    path.write_bytes(HIDDEN_IN[name](text, tmp_path / "file"))
    search = Search({"it": text, "another": canary()})
    search.look_below(tmp_path)
    assert search.files == 1
    assert [found for found in search.found if "another" in found] == []
    assert search.found, forms_of(text)
