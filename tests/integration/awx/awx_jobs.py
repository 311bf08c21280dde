# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them, by ansible-runner: with the files that `rack-recipes awx` writes, and answers of surveys."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

HOST = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
HOSTS = ("h1", "h2", "h3", "h4")


@dataclass
class Uploads:
    """The files that were put, by path, with the headers of each request. Below /refused/ there is 403 for all."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, Mapping[str, str]] = field(default_factory=dict)


@contextmanager
def serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """Let this handler answer in a thread; gives the address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def uploads() -> Iterator[Uploads]:
    """A server that takes files by PUT and gives them back by GET."""
    taken = Uploads()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            refused = self.path.startswith("/refused/")
            if not refused:
                taken.files[self.path] = body
                taken.headers[self.path] = dict(self.headers)
            self.reply(403 if refused else 201, b"")

        def do_GET(self) -> None:
            self.reply(200, taken.files.get(self.path, b"all is well\n"))

        def reply(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words: Any) -> None:
            pass

    with serving(Handler) as taken.url:
        yield taken


@dataclass(frozen=True)
class Job:
    """How a job ended: its status, the artifacts that it leaves behind, its output, and its copy of the project."""

    status: str
    artifacts: dict[str, Any]
    output: str
    project: Path


def run_job(
    project: Path, folder: Path, playbook: str, extra_vars: Mapping[str, Any], hosts: Sequence[str], **env: str
) -> Job:
    """Run a playbook on a fresh copy of a project, as AWX does. AWX's own variables have a number in `extra_vars`."""
    import ansible_runner

    shutil.copytree(project, folder / "project")
    (folder / "inventory").mkdir()
    (folder / "inventory" / "hosts.json").write_text(json.dumps({"all": {"hosts": dict.fromkeys(hosts, HOST)}}))
    with chdir(folder):
        done = ansible_runner.run(
            private_data_dir=str(folder), playbook=playbook, extravars=dict(extra_vars), envvars=env, quiet=True
        )
    stats = [event["event_data"] for event in done.events if event["event"] == "playbook_on_stats"]
    artifacts = stats[-1].get("artifact_data", {}) if stats else {}
    with done.stdout as said:
        return Job(done.status, artifacts, said.read(), folder / "project")
