# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils import live_client
from ansible_collections.rack.recipes.plugins.module_utils.live_client import (
    Aborted,
    Live,
    Lost,
    NoServer,
    Refused,
    TimedOut,
)
from ansible_collections.rack.recipes.plugins.module_utils.script_library import rack_live
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

HELD = {"key": "a_v1", "host": "h1", "version": 3, "value": {"n": 7}}
LOCK = {"name": "port", "owner": "x", "left": 60, "fence": 2}
GOT = {"pool": "ports", "name": "t1", "about": {"address": "10.0.0.1"}, "owner": "x", "left": 60, "fence": 1}


def problem(status, kind, **more):
    return status, {"type": f"urn:rack-recipes:problem:{kind}", "detail": "it is so", "advice": "do this", **more}


MISSING = problem(404, "not-found")
MESSAGES = (200, {"name": "x", "round": 2, "messages": [{"host": "h2", "version": 2, "value": 5}]})


class Server:
    """A server that gives prepared answers, one for each request, and the last one again and again."""

    def __init__(self, *answers, closes=False):
        self.answers = list(answers)
        self.requests = []
        self.closes = closes
        self.folder = tempfile.mkdtemp(prefix="rl")
        self.path = os.path.join(self.folder, "s")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listen()

    def listen(self):
        self.listener.bind(self.path)
        self.listener.listen(5)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                link = self.listener.accept()[0]
            except OSError:
                return
            threading.Thread(target=self.serve, args=(link,), daemon=True).start()

    def serve(self, link):
        with link, link.makefile("rb") as file:
            while True:
                line = file.readline().decode()
                if not line:
                    return
                headers = dict(each.split(": ") for each in iter(lambda: file.readline().decode().strip(), ""))
                body = file.read(int(headers.get("Content-Length", "0")))
                method, target, _version = line.split()
                self.requests.append((method, target, json.loads(body) if body else None, headers))
                status, data = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
                text = json.dumps(data).encode()
                link.sendall(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n%b" % (status, len(text), text))
                if self.closes:
                    return

    def stop(self):
        self.listener.shutdown(socket.SHUT_RDWR)  # a thread accepts
        self.listener.close()

    def close(self):
        self.stop()
        shutil.rmtree(self.folder)


@pytest.fixture
def serving():
    """A function that starts a server."""
    servers = []

    def start(*answers, **more):
        servers.append(Server(*answers, **more))
        return servers[-1]

    yield start
    while LIVES:
        LIVES.pop().close()
    for server in servers:
        server.close()


LIVES = []


def live_of(server, *more, **changed):
    given = {"socket": server.path, "pass": "h1:0", "host": "h1", "step": "s", "scope": "host", **changed}
    LIVES.append(Live(given, *more))
    return LIVES[-1]


def test_a_key_is_that_of_the_host_or_else_of_the_run_or_else_the_default(serving):
    server = serving(MISSING, (200, HELD))
    assert live_of(server).get("a_v1") == {"n": 7}
    assert [request[1] for request in server.requests] == ["/ctx/a_v1?host=h1", "/ctx/a_v1?"]
    server.answers = [MISSING]
    assert live_of(server).get("a_v1", 4, host="h 2") == 4
    assert server.requests[2][1] == "/ctx/a_v1?host=h%202"


def test_what_is_set_is_told_and_hidden(serving):
    server, told = serving((200, HELD)), []
    live = live_of(server, lambda key, _value: f"{key} masked", lambda *change: told.append(change))
    assert live.set("a_v1", "secret", version=2) == 3
    method, target, body, headers = server.requests[0]
    assert (method, target, body) == ("PUT", "/ctx/a_v1?host=h1&step=s&version=2", "a_v1 masked")
    assert headers["Rack-Pass"] == "h1:0"
    assert headers["Idempotency-Key"]
    live.set("a_v1", 1, scope="run")
    assert told == [("a_v1", "host", 3, {"n": 7}), ("a_v1", "run", 3, {"n": 7})]
    assert live.increment("a_v1", 2, "/n") == {"n": 7}
    assert server.requests[2][2] == {"by": 2, "path": "/n"}


def test_a_key_is_updated_by_what_it_holds(serving):
    server = serving((200, HELD), (200, {**HELD, "version": 4}), MISSING, (200, {**HELD, "version": 1}))
    live = live_of(server)
    assert live.update("a_v1", lambda value: value["n"] + 1) == 8
    assert live.update("a_v1", lambda value: [value], scope="run") == [None]
    assert [(method, target, body) for method, target, body, _headers in server.requests] == [
        ("GET", "/ctx/a_v1?host=h1", None),
        ("PUT", "/ctx/a_v1?host=h1&step=s&version=3", 8),
        ("GET", "/ctx/a_v1?", None),
        ("PUT", "/ctx/a_v1?step=s&version=0", [None]),
    ]


def test_an_update_that_is_too_late_waits_for_its_turn(serving):
    conflict = problem(409, "version-conflict", current={**HELD, "version": 6, "value": 60})
    answers = [
        (200, {**HELD, "value": 30}),
        conflict,
        (200, LOCK),
        (200, {**HELD, "version": 5, "value": 50}),
        conflict,
    ]
    server, seen = serving(*answers, (200, {**HELD, "version": 7}), (200, LOCK)), []
    assert live_of(server).update("a_v1", lambda value: seen.append(value) or value + 1) == 61
    assert seen == [30, 50, 60]
    [turn] = {target.partition("?")[0] for _method, target, _body, _headers in server.requests if "locks" in target}
    assert [target.partition("version=")[2] for _method, target, _body, _headers in server.requests] == [
        *("", "3", "", "", "5", "6", "")
    ]
    assert turn.startswith("/locks/update.")


def test_an_update_that_is_refused_for_something_else_ends(serving):
    server = serving((200, HELD), problem(403, "not-allowed"))
    with pytest.raises(Refused) as caught:
        live_of(server).update("a_v1", lambda value: value)
    assert (caught.value.kind, caught.value.current, len(server.requests)) == ("not-allowed", {}, 2)


def test_a_step_of_the_run_has_no_host(serving):
    server = serving((200, HELD))
    live = live_of(server, host="", scope="run")
    live.set("a_v1", 1)
    assert server.requests[0][1] == "/ctx/a_v1?step=s"
    with pytest.raises(ValueError, match="scope 'host': a step of the run cannot set it"):
        live.set("a_v1", 1, scope="host")


def test_messages(serving):
    server = serving(MESSAGES)
    live = live_of(server)
    assert live.send("x", 1) == 2
    assert live.wait("x") == 5
    assert live.wait("x", "h2") == 5
    assert live.wait_all("x", ["h2", "h3"]) == {"h2": 5}
    assert live.sync("x") == {"h2": 5}
    targets = [request[1].replace("15.000", "15").replace("14.999", "15") for request in server.requests]
    assert targets[:4] == [
        "/messages/x?host=h1&step=s",
        "/messages/x?wait=15",
        "/messages/x?hosts=h2&wait=15",
        "/messages/x?hosts=h2%2Ch3&newer_than=0&wait=15",
    ]
    assert targets[5] == "/messages/x?hosts=%2A&newer_than=1&wait=15"
    live.abort("link\n is down")
    assert server.requests[-1][1:3] == ("/messages/all/abort?host=h1&step=s", {"reason": "link is down"})


def test_a_wait_for_a_key_goes_on_until_its_value_fits(serving):
    states = [(200, {**HELD, "version": number, "value": value}) for number, value in ((1, "down"), (2, "up"))]
    server = serving(*states)
    assert live_of(server).wait("link.state_v1", "h2", until=lambda state: state == "up") == "up"
    assert "newer_than=1" in server.requests[1][1]


def test_a_wait_is_asked_for_again_until_its_time_is_up(serving, monkeypatch):
    monkeypatch.setattr(live_client, "PIECE", 0.1)
    late = problem(404, "timeout", detail="x was not sent within 0.1 s by h2, h3", missing=["h2", "h3"])
    server = serving(late)
    began = time.monotonic()
    with pytest.raises(TimedOut, match=r"^not within 0\.3 s: x was not sent; missing: h2, h3$"):
        live_of(server).wait_all("x", timeout=0.3)
    assert len(server.requests) > 2
    assert time.monotonic() - began >= 0.25
    server.answers = [late, MESSAGES]
    assert live_of(server).wait("x", timeout=60) == 5


def test_the_waiting_is_aborted(serving):
    server = serving(problem(409, "aborted", detail="x was aborted by h2: smoke"))
    with pytest.raises(Aborted, match="x was aborted by h2: smoke"):
        live_of(server).wait("x")


def test_once_is_true_for_the_first(serving):
    server = serving((200, HELD), problem(409, "version-conflict"), problem(403, "not-allowed"))
    live = live_of(server)
    assert [live.once("x"), live.once("x")] == [True, False]
    assert server.requests[0][1] == "/ctx/once.x_v1?step=s&version=0"
    with pytest.raises(Refused, match=r"^it is so \(do this\)$"):
        live.once("x")


def test_locks_and_reservations_are_given_back(serving):
    server = serving((200, LOCK), (200, {}), (200, GOT), problem(409, "locked"))
    live = live_of(server)
    with live.lock("port", lease=5) as held:
        assert (held.name, held.fence) == ("port", 2)
    with live.reserve("ports", ["100g"]) as held:
        assert (held.name, held.about) == ("t1", {"address": "10.0.0.1"})
    posted, freed, reserved, free = server.requests
    assert posted[2]["lease"] == 5
    assert reserved[2]["tags"] == ["100g"]
    assert posted[2]["owner"].startswith("s@h1 ")
    assert freed[:2] == ("DELETE", f"/locks/port?owner={live_client.quote(posted[2]['owner'], safe='')}")
    assert free[1].startswith("/locks/ports.t1?owner=")


def test_a_connection_that_was_closed_is_made_again(serving):
    server = serving((200, HELD), closes=True)
    live = live_of(server)
    assert [live.get("a_v1") for _time in range(3)] == [{"n": 7}] * 3


def test_a_lost_server_is_an_error_or_waited_for(serving):
    server = serving((200, HELD))
    server.stop()
    live = live_of(server)
    with pytest.raises(Lost, match="the context server cannot be reached: Connection refused"):
        live.get("a_v1")
    with pytest.raises(Lost):
        live.get("a_v1", timeout=0.1, on_lost="wait")
    os.unlink(server.path)
    server.listener = socket.socket(socket.AF_UNIX)
    threading.Timer(0.2, server.listen).start()
    assert live.get("a_v1", timeout=60, on_lost="wait") == {"n": 7}
    with pytest.raises(ValueError, match="on_lost: expected 'error' or 'wait', got 'x'"):
        live.get("a_v1", on_lost="x")


def test_a_dead_link_is_noticed(serving, monkeypatch):
    monkeypatch.setattr(live_client, "ANSWER", 0.1)
    server = serving((200, HELD))
    server.serve = lambda link: (time.sleep(1), link.close())
    with pytest.raises(Lost, match=r"no answer within 0\.1 s"):
        live_of(server).get("a_v1")


@pytest.mark.parametrize("answer", [b"SSH-2.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n{}", b""])
def test_what_is_no_answer(serving, answer):
    server = serving((200, HELD))
    server.serve = lambda link: (link.recv(65536), link.sendall(answer), link.close())
    with pytest.raises(Lost, match="the context server cannot be reached: "):
        live_of(server).get("a_v1")


@pytest.mark.parametrize(
    ("given", "says"), [({}, "this step has no live bus: declare `live = True`"), ({"error": "no server"}, "no server")]
)
def test_there_is_no_server(given, says):
    with pytest.raises(NoServer) as raised:
        Live(given).get("a_v1")
    assert str(raised.value).startswith(says)


@pytest.mark.parametrize(
    ("words", "answers", "expected"),
    [
        (["get", "a_v1"], [(200, HELD)], (0, {"n": 7})),
        (["get", "a_v1", "none"], [MISSING], (0, "none")),
        (["set", "a_v1", "7", "--run"], [(200, HELD)], (0, "")),
        (["set_json", "a_v1", "[7]", "--timeout", "5"], [(200, HELD)], (0, "")),
        (["increment", "a_v1", "2"], [(200, HELD)], (0, {"n": 7})),
        (["wait", "x", "--host", "h2", "--on-lost", "wait"], [MESSAGES], (0, 5)),
        (["wait_all", "x", "h2", "h3"], [MESSAGES], (0, {"h2": 5})),
        (["send", "x", "text"], [MESSAGES], (0, "")),
        (["sync", "x"], [MESSAGES], (0, {"h2": 5})),
        (["abort", "smoke", "x"], [(200, {})], (0, "")),
        (["once", "x"], [(200, HELD)], (0, "")),
        (["once", "x"], [problem(409, "version-conflict")], (4, "")),
        (["lock", "port", "--lease", "5"], [(200, LOCK)], (0, "")),
        (["unlock", "port"], [(200, {})], (0, "")),
    ],
)
def test_a_call_in_shell(serving, words, answers, expected):
    assert rack_live.command(words, live_of(serving(*answers))) == expected


@table("words", "says")
def test_a_wrong_call_in_shell(serving, words, says):
    with pytest.raises(ValueError, match="rack_live") as raised:
        rack_live.command(words, live_of(serving(MISSING)))
    assert says in str(raised.value)


def test_the_program_says_what_is_wrong_on_stdout(serving, tmp_path):
    program = shutil.copy(rack_live.__file__, tmp_path)
    shutil.copy(live_client.__file__, tmp_path)
    server = serving((200, {**HELD, "value": "up"}))
    given = json.dumps({"socket": server.path, "pass": "h1:0", "host": "h1", "step": "s", "scope": "host"})
    line = [sys.executable, "-S", "-I", program, "get", "a_v1"]
    done = subprocess.run(line, env={"RACK_LIVE": given}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "up\n", "")
    done = subprocess.run(line, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("this step has no live bus")
