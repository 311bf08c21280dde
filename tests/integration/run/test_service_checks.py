# SPDX-License-Identifier: GPL-3.0-or-later

"""The recipe service_checks.yml on a real web server, healthy and broken."""

from __future__ import annotations

import base64
import functools
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from call_rack_recipes import rack_recipes, results

RECIPE = "recipes/service_checks.yml"
STEPS = ("comes_up", "port", "page", "command", "files", "same_on_all")


class Pages(http.server.SimpleHTTPRequestHandler):
    """The files of a folder, and at `/who` what the client says of itself."""

    def log_message(self, *words: object) -> None:
        """Nothing on stderr."""

    def do_GET(self) -> None:
        if self.path != "/who":
            return super().do_GET()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"is": self.headers["Authorization"]}).encode())
        return None


@pytest.fixture
def port(shipped: Path) -> Iterator[int]:
    """The port of a web server that has the page `health`."""
    shipped.joinpath("health").write_text("ready\n")
    pages = functools.partial(Pages, directory=str(shipped))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), pages) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


def verdicts(port: int, **params: object) -> tuple[int, dict[str, str], str]:
    """The exit code of a run, the verdict of each step, and what it said."""
    given = {"port": port, "url": f"http://127.0.0.1:{port}/health", **params}
    words = [word for name, value in given.items() for word in ("--param", f"{name}={_text(value)}")]
    done = rack_recipes("run", RECIPE, *words)
    found = {step: verdict for (step, _host), verdict in results(done.answer["run_id"]).verdicts().items()}
    return done.code, found, done.stderr


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_a_healthy_service(shipped: Path, port: int):
    digest = hashlib.sha256(b"ready\n").hexdigest()
    code, found, said = verdicts(port, page="^ready$", digests={str(shipped / "health"): digest})
    assert (code, found) == (0, dict.fromkeys(STEPS, "passed")), said


def test_a_broken_service(shipped: Path, port: int):
    digests = {str(shipped / "health"): "0" * 64}
    code, found, said = verdicts(port, page="^done$", digests=digests, command=["sh", "-c", "echo no room; exit 3"])
    failed = dict.fromkeys(("page", "command", "files"), "failed")
    assert (code, found) == (1, {"comes_up": "passed", "port": "passed", **failed, "same_on_all": "blocked"})
    for reason in ("/health does not answer with '^done$'", "exit code 0: no room", "health has another content"):
        assert reason in said


def test_secrets_that_a_service_repeats_are_masked(shipped: Path, port: int):
    asked = {"module": "scriptlets.generic.http_check"}
    args = {"url": f"http://127.0.0.1:{port}/who", "json": "is"}
    given = {"token": {"token": "very-secret"}, "password": {"user": "joe", "password": "very-secret"}}
    steps = [{**asked, "name": name, "args": {**args, **own, "equals": "x"}} for name, own in given.items()]
    shipped.joinpath("who.yml").write_text(json.dumps({"test_meta": {"test_id": "WHO-1"}, "steps": steps}))
    done = rack_recipes("run", "who.yml")
    found = results(done.answer["run_id"])
    assert found.verdicts() == {("token", "localhost"): "failed", ("password", "localhost"): "failed"}
    assert "has is 'Bearer ********', expected 'x'" in done.stderr
    hidden = (b"very-secret", base64.b64encode(b"joe:very-secret"))
    kept = [path for path in shipped.joinpath(".rack-recipes").rglob("*") if path.is_file()]
    kept = [path for path in kept if path.parent.name != "compiled"]  # a secret stands there as in the recipe
    assert {"journal.jsonl", "results.db"} <= {path.name for path in kept}
    assert not [path for path in kept if any(word in path.read_bytes() for word in hidden)]
