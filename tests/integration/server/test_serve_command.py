# SPDX-License-Identifier: GPL-3.0-or-later

"""The command serve, as a user starts and ends it."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.integration.server.server_process import served
from call_rack_recipes import COMMAND, environment, rack_recipes

STREAMS = ["GET /events HTTP/1.1\r\nHost: ctx\r\n\r\n", "GET /ctx/never_v1?wait=600 HTTP/1.1\r\nHost: ctx\r\n\r\n"]


def test_it_says_when_it_is_ready_and_ends_in_good_order(project):
    with served() as server:
        journal = project / ".rack-recipes" / "runs" / server.ready["run_id"] / "journal.jsonl"
        assert server.ready == {
            "status": "ready",
            "run_id": journal.parent.name,
            "socket": server.socket,
            "pid": server.process.pid,
        }
        assert stat.S_IMODE(Path(server.socket).stat().st_mode) == 0o600
        assert server.ask("PUT", "/ctx/a_v1", 1).data["version"] == 1
        clients = [server.connection() for _stream in STREAMS]
        for client, request in zip(clients, STREAMS, strict=True):
            client.connect()
            client.sock.sendall(request.encode())
        clients[0].sock.recv(1000)  # its answer has begun
        began = time.monotonic()
        code = server.stop()
        took = time.monotonic() - began
        for client in clients:
            client.close()
        assert (code, Path(server.socket).exists(), server.log.read_text()) == (0, False, "")
        assert took < 4, "streams and those who wait hold up nothing"
        server.start()
        assert server.ask("GET", "/ctx/a_v1").data["value"] == 1, "it goes on where it stopped"
        assert server.ready["run_id"] == journal.parent.name
        assert server.stop(signal.SIGINT) == 0


def test_what_was_written_is_in_the_store_like_that_of_a_run(project):
    with served() as server:
        server.ask("PUT", "/ctx/numbers.stats_v1?host=leaf1&step=measure", {"mean": 2.5})
        server.ask(
            "PATCH", "/ctx/numbers.stats_v1?host=leaf1", {"mean": 3.5}, Content_Type="application/merge-patch+json"
        )
        run = server.ready["run_id"]
        for _while in ("it runs", "it is over"):
            flushed = rack_recipes("flush", "--json")
            assert flushed.code == 0, flushed.stderr
            found = rack_recipes("ctx", "history", "numbers.stats_v1", "--json").answer
            assert found["run_id"] == run
            shown = [(one["host"], one["version"], one["step"], one["after"]) for one in found["changes"]]
            assert shown == [("leaf1", 1, "measure", {"mean": 2.5}), ("leaf1", 2, "", {"mean": 3.5})]
            server.stop() if server.process.poll() is None else None
        server.start()
        assert server.ask("PUT", "/ctx/numbers.stats_v1?host=leaf1&version=2", 1).status == 200, "it goes on"
        assert _flushed_status() == "running"
        server.stop()
        assert _flushed_status() == "ended"
        found = rack_recipes("ctx", "history", "numbers.stats_v1", "--json").answer["changes"]
        assert [one["version"] for one in found] == [1, 2, 3], "what came behind the first end is in the store, too"
        server.start()
        server.kill()
        assert _flushed_status() == "interrupted"


def _flushed_status() -> str:
    """The status that the store has of the served run, once its journal is stored."""
    flushed = rack_recipes("flush", "--json")
    assert flushed.code == 0, flushed.stderr
    return rack_recipes("runs", "--json").answer["runs"][0]["status"]


def test_one_socket_has_one_server(project):
    with served() as server:
        second = rack_recipes("serve", "--json", "--socket", server.socket, "--new")
        pid = server.process.pid
        assert second.code == 2
        assert second.answer["reason"] == (
            f"a server listens at {server.socket} already, process {pid}: use it, end it with `kill {pid}`, or give "
            "another --socket"
        )
        third = rack_recipes("serve", "--socket", f"{server.socket}2")
        assert third.stderr == (
            f"run {server.ready['run_id']} is served already: use that server, or begin another run with --new\n"
        )
        assert len([*(project / ".rack-recipes" / "runs").iterdir()]) == 1, "a refused server leaves nothing"
        server.kill()
        assert Path(server.socket).exists()
        server.start()
        assert server.ask("GET", "/").status == 200


def test_without_its_packages_it_says_what_to_install(project):
    program = f"import sys; sys.modules['starlette'] = sys.modules['uvicorn'] = None; {COMMAND}"
    line = [sys.executable, "-c", program, "serve"]
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment())
    assert done.returncode == 2
    assert done.stderr.startswith("the context server needs further packages: ")
    assert done.stderr.endswith("`pip install 'rack-recipes[server]'` brings them\n")


def test_no_other_command_imports_the_server(project):
    program = (
        f"import sys\ntry:\n    {COMMAND}\nfinally:\n    bad = {{'starlette', 'uvicorn', 'anyio'}} & "
        "{name.partition('.')[0] for name in sys.modules}\n    bad and sys.stderr.write(f'imported {bad}')"
    )
    for words in (["--help"], ["runs", "--json"], ["ctx", "--help"], ["serve", "--help"]):
        line = [sys.executable, "-c", program, *words]
        done = subprocess.run(line, capture_output=True, text=True, check=False, env=environment())
        assert "imported" not in done.stderr, words


def test_it_tells_a_person_where_it_listens(project):
    words = [sys.executable, "-c", COMMAND, "serve", "--socket", "s/ctx.sock"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        line = process.stderr.readline()
        process.terminate()
    run = next((project / ".rack-recipes" / "runs").iterdir()).name
    assert line == f"serving run {run} at {project}/s/ctx.sock (process {process.pid})\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_is_refused_even_where_the_folder_is_open(project):
    ask = (
        "import http.client, os, socket, sys; os.setuid(65534); c = http.client.HTTPConnection('ctx'); "
        "c.sock = socket.socket(socket.AF_UNIX); c.sock.connect(sys.argv[1]); c.request('GET', '/ctx'); "
        "print(c.getresponse().read().decode())"
    )
    with served() as server:
        closed = subprocess.run([sys.executable, "-c", ask, server.socket], capture_output=True, text=True, check=False)
        assert "PermissionError" in closed.stderr
        Path(server.socket).parent.chmod(0o755)
        Path(server.socket).chmod(0o666)
        line = [sys.executable, "-c", ask, server.socket]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert json.loads(done.stdout)["detail"] == "user nobody may not use this socket", done.stderr
