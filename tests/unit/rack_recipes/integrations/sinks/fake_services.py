# SPDX-License-Identifier: GPL-3.0-or-later

"""A NetBox, an API of Kubernetes and a scontrol that keep what they are told, for tests of the sinks.

Paths, methods, kinds of content and shapes are those of NetBox 4 (`/api/schema/`) and of Kubernetes 1.31 (`Node` of
core/v1). What they would refuse they refuse: another token, an unknown device or node, a body that misses a field.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

TOKEN = "s3cr3t-token"
PATCH = "application/strategic-merge-patch+json"
ENTRY = {"assigned_object_type", "assigned_object_id", "kind", "comments"}
CONDITION = {"type", "status", "reason", "message", "lastHeartbeatTime", "lastTransitionTime"}
SCONTROL = """\
#!/bin/sh
printf '%s\\n' "$@" END >>"{folder}/asked"
case "$2 $3" in
"NodeName=n1 State=UNDRAIN") echo "{idle}" >"{folder}/n1.node" ;;
"NodeName=n1 State=DRAIN") echo "{drained} $4" >"{folder}/n1.node" ;;
"show node") [ -f "{folder}/$4.node" ] && cat "{folder}/$4.node" || {{ echo "Node $4 not found" >&2; exit 1; }} ;;
esac
"""
OUT = "NodeName=n1 Arch=x86_64 State=IDLE+DRAIN Partitions=all"
IDLE = "NodeName={0} Arch=x86_64 CoresPerSocket=8 NodeAddr={0} State=IDLE ThreadsPerCore=1 Partitions=all\n"
DRAINED = "NodeName={0} Arch=x86_64 State=IDLE+DRAIN Partitions=all Reason=bad fan [root@2026-11-30T10:00:00]\n"


class Services(ThreadingHTTPServer):
    """Both APIs; `asked` has method, path and body of each request that was taken."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.asked: list[tuple[str, str, Any]] = []
        self.journal: list[dict[str, Any]] = []
        self.condition: dict[str, str] = {}
        self.devices = [
            {"id": 7, "name": "n1", "status": {"value": "active", "label": "Active"}},
            {"id": 8, "name": "n2", "status": {"value": "failed", "label": "Failed"}},
            {"id": 9, "name": "twin", "status": {"value": "active"}},
            {"id": 10, "name": "twin", "status": {"value": "active"}},
        ]


class Handler(BaseHTTPRequestHandler):
    server: Services

    def do_GET(self) -> None:
        self.take()

    def do_POST(self) -> None:
        self.take()

    def do_PATCH(self) -> None:
        self.take()

    def take(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts, body = urlsplit(self.path), json.loads(text) if text else None
        if parts.path.startswith("/moved/"):
            return self.answer(302, {}, Location=f"{self.server.url}{self.path.removeprefix('/moved')}")
        scheme, _blank, token = (self.headers.get("Authorization") or "").partition(" ")
        is_netbox = not parts.path.startswith("/k8s/")
        if token != TOKEN or scheme != ("Token" if is_netbox else "Bearer"):
            return self.answer(403, {"detail": "no"})
        code, told = (self.netbox if is_netbox else self.kubernetes)(parts.path, parse_qs(parts.query), body)
        if code < 300:
            self.server.asked.append((self.command, parts.path, body))
        return self.answer(code, told)

    def netbox(self, path: str, query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if self.command == "GET" and path == "/api/dcim/devices/":
            found = [one for one in self.server.devices if one["name"] in query["name"]]
            return 200, {"count": len(found), "next": None, "results": found}
        if self.command == "POST" and path == "/api/extras/journal-entries/":
            self.server.journal.insert(0, body)
            return (201, {"id": 1, **body}) if body.keys() == ENTRY else (400, {"detail": "fields"})
        if self.command == "GET" and path == "/api/extras/journal-entries/":
            number = int(query["assigned_object_id"][0])
            return 200, {"results": [one for one in self.server.journal if one["assigned_object_id"] == number]}
        if self.command == "PATCH" and path == "/api/dcim/devices/7/":
            self.server.devices[0]["status"] = {"value": body["status"]}
            return 200, self.server.devices[0]
        return 404, {"detail": "Not Found"}

    def kubernetes(self, path: str, _query: dict[str, list[str]], body: Any) -> tuple[int, Any]:
        if self.command == "GET" and path == "/k8s/api/v1/nodes/n1":
            return 200, {"kind": "Node", "status": {"conditions": [{"type": "Ready"}, self.server.condition]}}
        if self.command != "PATCH" or path != "/k8s/api/v1/nodes/n1/status" or self.headers["Content-Type"] != PATCH:
            return 404, {"kind": "Status", "reason": "NotFound"}
        [condition] = body["status"]["conditions"]
        self.server.condition = condition
        return (200, {"kind": "Node"}) if condition.keys() == CONDITION else (422, {"reason": "Invalid"})

    def answer(self, code: int, told: Any, **headers: str) -> None:
        content = json.dumps(told).encode()
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class calls it so
        pass


@contextmanager
def served() -> Iterator[Services]:
    """The two APIs in a thread."""
    with Services() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def make_scontrol(folder: Path) -> Path:
    """A program `scontrol` that keeps its words in `asked`: n1 is idle, n2 is drained, no other node is known."""
    program = folder / "scontrol"
    program.write_text(SCONTROL.format(folder=folder, idle=IDLE.format("n1").strip(), drained=OUT), encoding="utf-8")
    program.chmod(0o755)
    (folder / "n1.node").write_text(IDLE.format("n1"), encoding="utf-8")
    (folder / "n2.node").write_text(DRAINED.format("n2"), encoding="utf-8")
    return program
