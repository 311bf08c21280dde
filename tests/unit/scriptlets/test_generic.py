# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for commands, files and services, on real processes, files and servers of this machine."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import http.server
import json
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table


@pytest.fixture
def command(scriptlet, rack_context):
    """A function that runs `generic.command`."""
    return lambda **params: rack_context.run(scriptlet("generic.command").CommandCheck, params)


class TestCommand:
    def test_a_command_without_a_shell(self, command, rack_context):
        assert command(argv=["printf", "%s", "$HOME; *"]).verdict == "passed"
        found = rack_context["generic.command_v1"]
        assert (found["exit_code"], found["stdout"], found["number"]) == (0, "$HOME; *", None)
        assert rack_context.measured["seconds"] == found["seconds"]

    def test_a_script_for_a_shell(self, command, rack_context):
        assert command(script="echo a | tr a b; exit 3", exit_codes=[0, 3]).verdict == "passed"
        assert rack_context["generic.command_v1"]["stdout"] == "b\n"

    def test_a_number_of_the_output(self, command, rack_context):
        params = {"argv": ["printf", "x\ntemp: 41.5 C\n"], "number": r"^temp: (?P<number>[\d.]+)", "unit": "C"}
        assert command(**params, max=60).verdict == "passed"
        assert rack_context.measured["number"] == 41.5
        assert command(**params).verdict == "passed"
        assert command(**params, min=1, max=40).reason == "printf printed 41.5 C, expected at least 1, at most 40"

    @table("params", "verdict", "reason")
    def test_what_is_wrong_is_said(self, command, params, verdict, reason):
        outcome = command(**params)
        assert (outcome.verdict, outcome.reason[: len(reason)]) == (verdict, reason)

    def test_an_expression_that_takes_too_long_is_an_error(self, command, scriptlet, monkeypatch):
        monkeypatch.setattr(scriptlet("tools.patterns"), "PATIENCE", 0.05)
        reason = command(argv=["printf", "a" * 40 + "b"], stdout="^(a+)+$").reason
        assert reason == "stdout: '^(a+)+$' took more than 0.05 s on 41 characters: say it simpler"

    def test_much_output_is_kept_in_part(self, command, rack_context):
        assert command(argv=[sys.executable, "-c", "print('x' * 100000)"]).verdict == "passed"
        assert len(rack_context["generic.command_v1"]["stdout"]) == 2000


class TestDigest:
    @pytest.fixture
    def digest(self, scriptlet, rack_context):
        """A function that runs `generic.digest`."""
        return lambda **params: rack_context.run(scriptlet("generic.digest").FileDigests, params)

    @pytest.mark.parametrize("algorithm", ["sha256", "sha512", "md5"])
    def test_a_file_as_it_must_be(self, digest, rack_context, tmp_path, algorithm):
        (tmp_path / "firmware.bin").write_bytes(b"abc" * 1_000_000)
        path, expected = str(tmp_path / "firmware.bin"), hashlib.new(algorithm, b"abc" * 1_000_000).hexdigest()
        assert digest(files={path: expected.upper()}, algorithm=algorithm).verdict == "passed"
        assert rack_context["generic.digest_v1"] == {path: expected}

    def test_each_file_that_is_wrong_is_named_with_what_to_do(self, digest, tmp_path):
        (tmp_path / "changed").write_bytes(b"x")
        files = {str(tmp_path / name): "0" * 64 for name in ("changed", "absent", "")}
        outcome = digest(files=files)
        assert outcome.verdict == "failed"
        assert outcome.reason.replace(str(tmp_path), "") == (
            "/changed has another content (digest 2d711642b726b044...): compare it with the one that was released; "
            "/absent is missing: install it again;  is no ordinary file: install it again"
        )

    @pytest.mark.parametrize(
        ("params", "reason"),
        [
            ({"files": {}}, "files: expected at least one path with its digest"),
            ({"files": {"/a": "ab"}}, "files: /a: expected 64 hexadecimal digits (sha256)"),
            ({"files": {"/a": "g" * 32}, "algorithm": "md5"}, "files: /a: expected 32 hexadecimal digits (md5)"),
        ],
    )
    def test_wrong_digests_are_refused(self, digest, params, reason):
        outcome = digest(**params)
        assert (outcome.verdict, outcome.reason) == ("error", reason)


@pytest.fixture(scope="module")
def silent_port() -> Iterator[int]:
    """A TCP port of a host that takes no more connections: its queue is full, so that the kernel drops them."""
    with socket.socket() as full, contextlib.ExitStack() as waiting:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for _number in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(full.getsockname())
        yield full.getsockname()[1]


@pytest.fixture
def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class TestPort:
    @pytest.fixture
    def port(self, scriptlet, rack_context):
        """A function that runs `generic.port` on this machine."""
        run = functools.partial(rack_context.run, scriptlet("generic.port").PortCheck)
        return lambda port, **params: run({"host": "127.0.0.1", "port": port, "timeout": 0.3, **params})

    def test_an_open_port(self, port, rack_context, service):
        assert port(service.port, max_ms=1000).verdict == "passed"
        found = rack_context["generic.port_v1"]
        assert found["state"] == "open"
        assert rack_context.measured == {"ms": found["ms"], "state": "open"}

    def test_one_address_of_several_is_enough(self, port, service):
        assert port(service.port, host="localhost").verdict == "passed"

    def test_a_port_that_must_be_closed(self, port, closed_port, silent_port):
        assert port(closed_port, expect="refused").verdict == "passed"
        assert port(silent_port, expect="silent").verdict == "passed"

    def test_each_way_of_no_answer_has_its_own_words(self, port, closed_port, silent_port, service):
        def said(number, **params):
            outcome = port(number, **params)
            return outcome.verdict, outcome.reason.partition(") ")[2]

        refused = "refuses the connection: start the service, or correct the port (expected open, found refused)"
        assert said(closed_port) == ("failed", refused)
        assert said(silent_port)[1].startswith("does not answer: look at the power of the host")
        assert said(80, host="no-such-host.invalid")[1].startswith("has a name that is not resolved: correct the name")
        assert said(service.port, expect="refused")[1].startswith("answers: stop the service, or close the port")
        assert said(service.port, max_ms=0)[1].endswith("ms, at most 0: look for load on host and way")

    @pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES])
    def test_what_the_network_says(self, scriptlet, number):
        kind = scriptlet("tools.http_client").kind_of(OSError(number, ""))
        assert scriptlet("tools.service_answers").ADVICE[kind] == "cannot be reached: look at routes and cables"

    def test_udp(self, port, closed_port, rack_context):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
            server.bind(("127.0.0.1", 0))
            number = server.getsockname()[1]
            assert port(number, protocol="udp", expect="silent").verdict == "passed"
            assert server.recv(9) == b""
            threading.Thread(target=lambda: server.sendto(b"x", server.recvfrom(9)[1]), daemon=True).start()
            assert port(number, protocol="udp", send_hex="01 ff", timeout=5).verdict == "passed"
        assert port(closed_port, protocol="udp", expect="refused").verdict == "passed"

    def test_wrong_arguments(self, port):
        assert port(0).reason == "port: expected 1 to 65535, got 0"
        assert port(80, send_hex="0g").reason == "send_hex: expected pairs of hexadecimal digits, got '0g'"


class Service(http.server.BaseHTTPRequestHandler):
    """Answers as a service with an API does."""

    def do_GET(self) -> None:
        status, body = {
            "/health": (200, '{"state": "ok", "nodes": [{"load": 0.5}]}'),
            "/moved?a=1": (301, ""),
            "/text": (200, "build 7\nready"),
            "/who": (200, json.dumps({"is": self.headers.get("Authorization", "")})),
        }.get(self.path, (503, "busy"))
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        self.send_response(201)
        self.end_headers()
        self.wfile.write(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *words: object) -> None:
        """Nothing on stderr."""


@dataclass(frozen=True)
class Served:
    """Where a service is."""

    port: int
    scheme: str
    ca_file: str = ""

    def url(self, path: str) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}{path}"


@contextlib.contextmanager
def served(context: ssl.SSLContext | None = None) -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def service() -> Iterator[Served]:
    with served() as port:
        yield Served(port, "http")


@pytest.fixture(scope="module")
def tls_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A service whose certificate holds for 10 days."""
    folder = tmp_path_factory.mktemp("tls")
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x -days 10"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", f"{folder}/key", "-out", f"{folder}/certificate"]
    subprocess.run([*words.split(), *more], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    with served(context) as port:
        yield Served(port, "https", str(folder / "certificate"))


class TestHttp:
    @pytest.fixture
    def web(self, scriptlet, rack_context):
        """A function that runs `generic.http_check`."""
        return lambda url, **params: rack_context.run(scriptlet("generic.http_check").HttpCheck, {"url": url, **params})

    def test_a_healthy_service(self, web, rack_context, service):
        params = {"json": "nodes[0].load", "min": 0, "max": 0.9, "body": '"state": "ok"', "max_ms": 5000}
        assert web(service.url("/health"), **params).verdict == "passed"
        found = rack_context["generic.http_v1"]
        assert (found["status"], found["value"], found["tls_days_left"]) == (200, 0.5, None)
        assert set(rack_context.checked) == {"status", "ms", "body_matches", "has_value", "nodes[0].load"}
        assert web(service.url("/health"), json="state", equals="ok").verdict == "passed"
        assert web(service.url("/moved?a=1"), status=[301, 302]).verdict == "passed"
        assert web(service.url("/text"), body="^ready$").verdict == "passed"
        assert web(service.url("/"), method="POST", send="{}", status=[201], body="^{}$").verdict == "passed"

    def test_who_asks(self, web, rack_context, service):
        given = {"Bearer t": {"token": "t"}, "Basic dTpw": {"user": "u", "password": "p"}, "": {}}
        for expected, params in given.items():
            assert web(service.url("/who"), json="is", equals=expected, **params).verdict == "passed"
        assert web(service.url("/who"), json="is", equals="k", headers={"authorization": "k"}).verdict == "passed"

    def test_secrets_are_masked(self, scriptlet):
        options = scriptlet("generic.http_check").HttpCheck.options
        assert [name for name, spec in options.items() if spec.get("no_log")] == ["password", "token"]

    @table("path", "params", "reason")
    def test_what_is_wrong_is_said(self, web, service, path, params, reason):
        outcome = web(service.url(path), **params)
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(f"{service.url(path)} {reason}")

    def test_no_connection(self, web, closed_port, silent_port):
        assert "refuses the connection" in web(f"http://127.0.0.1:{closed_port}").reason
        assert "does not answer: look at" in web(f"http://127.0.0.1:{silent_port}", timeout=0.2).reason
        assert "name that is not resolved" in web("http://no-such-host.invalid").reason

    def test_tls(self, web, rack_context, tls_service):
        url, ca_file = tls_service.url("/health"), tls_service.ca_file
        assert web(url, ca_file=ca_file, min_tls_days=9).verdict == "passed"
        assert rack_context.measured["tls_days_left"] == pytest.approx(10, abs=0.1)
        reason = web(url, ca_file=ca_file, min_tls_days=30).reason
        assert reason.endswith("more days, at least 30: renew it")
        assert web(url, verify=False).verdict == "passed"
        outcome = web(url)
        assert outcome.verdict == "failed"
        assert re.search(r"has a certificate that is not trusted \(self.signed certificate\): renew it", outcome.reason)

    def test_another_protocol(self, web, service, tls_service):
        assert "does not speak HTTPS" in web(f"https://127.0.0.1:{service.port}").reason
        assert web(f"http://127.0.0.1:{tls_service.port}").verdict == "failed"

    @pytest.mark.parametrize(
        ("url", "params", "reason"),
        [
            ("ftp://x", {}, "url: expected http://HOST... or https://HOST..., got 'ftp://x'"),
            ("http://a b/", {}, "url: expected http://HOST... or https://HOST..., got 'http://a b/'"),
            ("http://" + "a" * 64, {}, "url: expected http://HOST... or https://HOST..., got 'http://aaa"),
            ("http://u:p@x/", {}, "url: expected no user in it: give user and password as arguments of their own"),
            ("http://x", {"max": 1}, "equals, min, max: a limit needs `json`, the path to the value"),
            ("http://x", {"min_tls_days": 1}, "min_tls_days: needs https and verify: only a certificate that is"),
            ("http://x", {"body": "("}, "body: '(' is no regular expression: missing )"),
        ],
    )
    def test_wrong_arguments(self, web, url, params, reason):
        outcome = web(url, **params)
        assert (outcome.verdict, outcome.reason[: len(reason)]) == ("error", reason)


class TestWait:
    @pytest.fixture
    def wait(self, scriptlet, rack_context):
        """A function that runs `generic.wait`, without a pause that a test would have to wait for."""
        run = functools.partial(rack_context.run, scriptlet("generic.wait").WaitFor)
        return lambda **params: run({"timeout": 0.1, "interval": 0.02, **params})

    @pytest.mark.parametrize("kind", ["port", "file", "argv", "url"])
    def test_what_is_there_already(self, wait, rack_context, service, kind):
        given = {"port": service.port, "file": __file__, "argv": ["true"], "url": service.url("/health")}
        assert wait(**{kind: given[kind], "timeout": 5}).verdict == "passed"
        assert rack_context["generic.wait_v1"]["looks"] == 1

    def test_a_file_that_comes(self, wait, rack_context, tmp_path):
        script = 'echo x >>"$0"; test "$(wc -l <"$0")" -ge 3'
        assert wait(argv=["sh", "-c", script, str(tmp_path / "tries")], timeout=20).verdict == "passed"
        assert rack_context["generic.wait_v1"]["looks"] == 3
        later = threading.Timer(0.05, (tmp_path / "later").touch)
        later.start()
        assert wait(file=str(tmp_path / "later"), timeout=20).verdict == "passed"
        later.join()
        assert rack_context["generic.wait_v1"]["seen"] == f"{tmp_path}/later was there"
        assert rack_context.measured["seconds"] == rack_context["generic.wait_v1"]["seconds"]

    def test_what_was_seen_last_is_said(self, wait, service, closed_port, tmp_path):
        def seen(**params):
            outcome = wait(**params)
            assert outcome.verdict == "failed"
            told = outcome.reason.removeprefix("waited 0.1 s in vain, at last ")
            return told.removesuffix(": look whether its service has started")

        assert seen(port=closed_port) == f"127.0.0.1 port {closed_port} was refused"
        assert seen(file=f"{tmp_path}/none") == f"{tmp_path}/none did not exist"
        assert seen(argv=["sh", "-c", "echo not yet; exit 4"]) == "sh ended with exit code 4: not yet"
        assert seen(argv=["no-such-tool"]) == "no-such-tool is not installed on this host"
        assert seen(argv=["sleep", "9"]).startswith("sleep 9 did not end within 0.1")
        assert seen(url=service.url("/x")) == f"{service.url('/x')} answered status 503"
        assert seen(url=f"http://127.0.0.1:{closed_port}") == f"http://127.0.0.1:{closed_port} was refused"
        assert "does not speak HTTPS" in seen(url=f"https://127.0.0.1:{service.port}")

    @table("params", "reason")
    def test_wrong_arguments(self, wait, params, reason):
        outcome = wait(**params)
        assert (outcome.verdict, outcome.reason) == ("error", reason)


class TestSpread:
    @pytest.fixture
    def spread(self, scriptlet, rack_context):
        """A function that runs `generic.spread` on the speeds of hosts."""

        def run(speeds: dict[str, Any], **params: Any) -> Any:
            for host, speed in speeds.items():
                rack_context.give("disk.speed_v1", {"read": {"mb_s": speed}}, host=host)
            given = {"key": "disk.speed_v1", "path": "read.mb_s", "unit": "MB/s", **params}
            return rack_context.run(scriptlet("generic.spread").Spread, given)

        return run

    SPEEDS = {"r1": 100, "r2": 102, "r3": 98, "r4": 60}

    def test_the_statistics(self, spread, rack_context):
        assert spread(self.SPEEDS, max_deviation=39).verdict == "passed"
        assert rack_context["generic.spread_v1"] == {
            "n": 4, "mean": 90, "median": 99, "mad": 2, "min": 60, "min_host": "r4", "max": 102, "max_host": "r2",
        }  # fmt: skip
        assert rack_context.measured["mad"] == 2
        assert rack_context.checked["deviation.r4"] == "passed"

    def test_hosts_far_from_the_others(self, spread):
        is_far = "is far from the median (99 MB/s): compare these hosts with the others"
        far = f"disk.speed_v1 read.mb_s of r4 (60 MB/s) {is_far}"
        assert spread(self.SPEEDS, max_percent=10).reason == far
        assert spread(self.SPEEDS, max_deviation=38.5).reason == far
        many = {f"r{number:02}": 1000 * (number > 30) for number in range(45)}
        assert "r37 (1000 MB/s) and 8 more is far from the median (0 MB/s)" in spread(many, max_percent=10).reason

    @table("speeds", "reason")
    def test_what_cannot_be_judged_is_an_error(self, spread, speeds, reason):
        outcome = spread(speeds, max_percent=10)
        assert (outcome.verdict, outcome.reason[: len(reason)]) == ("error", reason)
