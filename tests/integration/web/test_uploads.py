# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs of controllers that are thrown away are uploaded to a server of pages, over TLS, and are whole there."""

from __future__ import annotations

import json
import re
import shutil
import signal
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from ansible_collections.rack.recipes.tests.integration.server.certificates import Authority
from ansible_collections.rack.recipes.tests.integration.web.web_server import WebServer, web_server
from call_rack_recipes import CHECKOUT, Done, call, rack_recipes, write_scriptlet
from controller_process import wait_for

AWX = CHECKOUT / "docs/awx.md"
PLAYBOOK = re.compile(r"```yaml shown\n(- name: Run a recipe, and leave .*?)```", re.DOTALL)
ANSIBLE_CFG = """\
[defaults]
callbacks_enabled = rack.recipes.recorder
inject_facts_as_vars = false
"""
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
INVENTORY = {"all": {"hosts": {"h1": LOCAL, "h2": LOCAL}}}
SCRIPT = """\
#!/bin/sh
echo "all is well on $RACK_HOST" > seen.txt
echo '{"status": "ok", "outputs": {"t.seen_v1": 1}, "artifacts": [{"name": "seen.txt", "path": "seen.txt"}]}'
"""
SIDECAR = "description: Looks.\nreads: []\nwrites: [t.seen_v1]\n"
RECIPE = {
    "test_meta": {"test_id": "LOOK"},
    "steps": [{"name": "look", "type": "shell", "module": "t.look", "success": {"ctx_has_keys": ["t.seen_v1"]}}],
}


class Controller(NamedTuple):
    """A controller with a folder and a store of its own, and the run that it made."""

    folder: Path
    run_id: str

    def upload(self, url: str, token: str, *words: str) -> Done:
        """Send its run; the answer is data."""
        with chdir(self.folder):
            return rack_recipes("upload", "--to", url, "--json", *words, RACK_RECIPES_TOKEN=token)


def controller(folder: Path) -> Path:
    """The project of a controller."""
    (folder / "scriptlets/t").mkdir(parents=True)
    write_scriptlet("t.look", SCRIPT, SIDECAR, folder / "scriptlets")
    (folder / "ansible.cfg").write_text(ANSIBLE_CFG)
    (folder / "recipe.yml").write_text(json.dumps(RECIPE))
    (folder / "inventory.json").write_text(json.dumps(INVENTORY))
    return folder


def made(folder: Path, *words: str) -> Controller:
    """A controller that has run the recipe."""
    with chdir(controller(folder)):
        done = rack_recipes("run", "recipe.yml", "-i", "inventory.json", "--json", *words)
    assert done.answer.get("run_id"), done.stderr  # a part alone lacks the hosts of the others, and does not pass
    return Controller(folder, done.answer["run_id"])


@pytest.fixture(scope="module")
def single(tmp_path_factory: pytest.TempPathFactory) -> Controller:
    return made(tmp_path_factory.mktemp("single"))


@pytest.fixture(scope="module")
def packed(single: Controller) -> bytes:
    """The pack of its run."""
    with chdir(single.folder):
        done = rack_recipes("export", single.run_id, "--to", "run.tar.gz")
        assert done.code == 0, done.stderr
        return Path("run.tar.gz").read_bytes()


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("server")
    (folder / "ansible.cfg").write_text(ANSIBLE_CFG)
    return folder


@pytest.fixture(scope="module")
def tokens(folder: Path) -> dict[str, str]:
    with chdir(folder):
        return {"operator": rack_recipes("token", "create", "operator", "--role", "operator").stdout.strip()}


@pytest.fixture(scope="module")
def options(authority: Authority) -> list[str]:
    """Those of a server with TLS."""
    here = authority.signed("localhost")
    return ["--listen", "localhost:0", "--tls-cert", str(here.cert), "--tls-key", str(here.key)]


@pytest.fixture(scope="module")
def trust(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.pair.cert)


@pytest.fixture(scope="module")
def server(folder: Path, tokens: dict[str, str], options: list[str], trust: ssl.SSLContext) -> Iterator[WebServer]:
    with web_server(folder, "--allow-upload", "--max-upload", "1MiB", *options, tls=trust) as server:
        yield server


@pytest.fixture(scope="module")
def ca(authority: Authority) -> tuple[str, str]:
    return "--ca", str(authority.pair.cert)


def runs_of(folder: Path) -> list[str]:
    """The folders that count as runs."""
    return sorted(path.parent.name for path in (folder / ".rack-recipes/runs").glob("*/journal.jsonl"))


def test_a_run_is_at_the_server_as_it_was_made(single, server, folder, tokens, ca):
    assert "its certificate is not trusted: " in single.upload(server.url, tokens["operator"]).answer["reason"]
    done = single.upload(server.url, tokens["operator"], *ca)
    assert done.code == 0, done.stderr
    page = f"{server.url}/runs/{single.run_id}"
    assert done.answer == {
        "status": "ok", "run_id": single.run_id, "state": "imported", "group": None, "page": page,
        "report": f"{page}/report", "group_page": None,
    }  # fmt: skip
    told = server.ask(f"/runs/{single.run_id}?format=json").data["run"]
    assert (told["status"], told["counts"]) == ("passed", {"passed": 2})
    report = server.ask(f"/runs/{single.run_id}/report")
    assert (report.status, "LOOK" in report.text) == (200, True)
    here, there = (one / ".rack-recipes/runs" / single.run_id for one in (folder, single.folder))
    for part in ("journal.jsonl", "begun/recipe/recipe.yml", "begun/playbook.yml", "begun/hosts.json"):
        assert (here / part).read_bytes() == (there / part).read_bytes()
    assert {path.name for path in (here / "artifacts").iterdir()} == {
        path.name for path in (there / "artifacts").iterdir()
    }
    assert len([*(here / "artifacts").iterdir()]) == 2
    again = single.upload(server.url, tokens["operator"], *ca)
    assert (again.code, again.answer["state"]) == (0, "here already")
    rows = [json.loads(line) for line in (folder / ".rack-recipes/server/actions.jsonl").read_text().splitlines()]
    done_rows = [row for row in rows if not row["state"].startswith("refused")]
    assert {(row["who"], row["action"], row["about"]["run"]) for row in done_rows} == {
        ("token:operator", "upload", single.run_id)
    }


def test_two_parts_from_two_controllers_are_one_run(server, tokens, ca, tmp_path_factory):
    for host in ("h1", "h2"):
        words = ("--limit", host, "--group", "night-42", "--parts", "2")
        done = made(tmp_path_factory.mktemp(host), *words).upload(server.url, tokens["operator"], *ca)
        assert (done.code, done.answer["group_page"]) == (0, f"{server.url}/runs/night-42"), done.stderr
    told = server.ask("/runs/night-42?format=json").data["run"]
    assert (told["status"], told["counts"]) == ("passed", {"passed": 2})
    hosts = server.ask("/runs/night-42/hosts?format=json").data["hosts"]["rows"]
    assert sorted(row["host"] for row in hosts) == ["h1", "h2"]


def test_a_job_of_awx_leaves_its_run_and_its_addresses(server, tokens, authority, tmp_path_factory):
    """The playbook of docs/awx.md, by ansible-playbook; what set_stats tells is what AWX keeps as artifacts."""
    folder = controller(tmp_path_factory.mktemp("job"))
    (folder / "leave.yml").write_text(PLAYBOOK.search(AWX.read_text(encoding="utf-8"))[1])
    env = {
        "RACK_RECIPES_TOKEN": tokens["operator"],
        "RACK_RECIPES_SERVER_CA": authority.pair.cert,
        "ANSIBLE_SHOW_CUSTOM_STATS": "1",
    }
    given = json.dumps({"recipe": "recipe.yml", "server": server.url})
    with chdir(folder):
        done = call("ansible-playbook", "leave.yml", "-i", "inventory.json", "-e", given, **env)
    assert done.code == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.rpartition("RUN: ")[2])["rack_recipes_upload"]
    assert told["report"] == f"{server.url}/runs/{told['run_id']}/report"
    assert server.ask(told["page"].removeprefix(server.url) + "?format=json").data["run"]["status"] == "passed"
    assert tokens["operator"] not in done.stdout


def received(server: WebServer) -> int:
    """The bytes of the files without names that the server has open."""
    sizes = []
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            if str(link.readlink()).startswith(f"{server.folder}/.rack-recipes/server/"):
                sizes.append(link.stat().st_size)
        except FileNotFoundError:  # it was closed meanwhile
            continue
    return sum(sizes)


def test_a_server_that_is_killed_in_the_middle_leaves_no_run(single, packed, tmp_path):
    """Neither while it receives a run nor while it unpacks one; the next one takes it once, of four who send it."""
    server = WebServer(tmp_path, "--allow-upload")
    half = 200_000
    with socket.create_connection(("127.0.0.1", urlsplit(server.url).port or 0)) as link:
        head = ["POST /uploads HTTP/1.1", "Host: localhost", f"Authorization: Bearer {server.token}",
                "Content-Type: application/gzip", f"Content-Length: {2 * half}", "", ""]  # fmt: skip
        link.sendall("\r\n".join(head).encode() + bytes(half))
        wait_for("half of the pack at the server", lambda: received(server) >= half - 65536)
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    server.process.stdout.close()
    assert [path.name for path in (tmp_path / ".rack-recipes/server").iterdir()] == []
    left = tmp_path / ".rack-recipes/runs/.importing/run"  # as by one that was killed while it unpacked
    left.mkdir(parents=True)
    shutil.copy(next((single.folder / ".rack-recipes/runs").glob("*/journal.jsonl")), left)
    assert runs_of(tmp_path) == []
    with web_server(tmp_path, "--allow-upload") as again:
        assert not left.exists()
        shown = {"Content_Type": "application/gzip"}
        with ThreadPoolExecutor(4) as senders:
            asked = [senders.submit(again.ask, "/uploads", "POST", packed, **shown) for _sender in range(4)]
            answers = [each.result() for each in asked]
        assert sorted(each.status for each in answers) == [200, 200, 200, 201], [each.text for each in answers]
    assert runs_of(tmp_path) == [single.run_id]
