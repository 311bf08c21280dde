# SPDX-License-Identifier: GPL-3.0-or-later

"""NetBox's API over HTTP: all pages, the token for this server alone, and what to do where it does not answer."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cabling.import_plan import import_plan, read_sources
from rack_recipes.cabling.netbox_api import fetch
from rack_recipes.cabling.plan_model import Position
from rack_recipes.errors import UsageError

SAMPLES = Path(__file__).with_name("samples")
LISTS = {
    f"/netbox/api/dcim/{name}/": json.loads((SAMPLES / f"netbox_{name}.json").read_text())["results"]
    for name in ("cables", "devices")
}
PAGE = 3  # entries: what a server allows at most


class NetBox(ThreadingHTTPServer):
    """Answers as NetBox does, with small pages; `asked` has path, query and token of each request."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, dict[str, list[str]], str]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: NetBox

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = parse_qs(parts.query)
        self.server.asked.append((parts.path, query, self.headers.get("Authorization", "")))
        if parts.path.startswith("/moved/"):
            self.answer(302, {}, Location=f"{self.server.url}/netbox/api/dcim/cables/")
        elif parts.path.startswith("/refused/"):
            self.answer(403, {"detail": "no"})
        elif parts.path.startswith("/odd/"):
            self.answer(200, {"results": "none"})
        elif parts.path.startswith("/html/"):
            self.answer(200, None)
        elif parts.path in LISTS:
            self.page(LISTS[parts.path], query)
        else:
            self.answer(404, {"detail": "Not Found"})

    def page(self, entries: list[Any], query: dict[str, list[str]]) -> None:
        start = int(query.get("offset", ["0"])[0])
        more = start + PAGE < len(entries)
        # Behind a proxy NetBox may name another server here, which must not get the token.
        following = f"http://192.0.2.1/api/dcim/cables/?limit={PAGE}&offset={start + PAGE}" if more else None
        self.answer(200, {"count": len(entries), "next": following, "results": entries[start : start + PAGE]})

    def answer(self, code: int, data: Any, **headers: str) -> None:
        content = json.dumps(data).encode() if data is not None else b"<html>"
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 the base class calls it so
        pass


@pytest.fixture(scope="module")
def netbox() -> Iterator[NetBox]:
    with NetBox() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def nothing_asked(netbox: NetBox) -> None:
    netbox.asked.clear()


def test_all_pages_are_one_plan_with_positions(netbox: NetBox):
    plan = import_plan(read_sources([f"{netbox.url}/netbox/"], "t0ken"))
    assert len(plan.cables) == 7
    assert plan.positions["node1"] == Position("12", 2)
    assert {token for _path, _query, token in netbox.asked} == {"Token t0ken"}
    assert [query.get("offset") for path, query, _token in netbox.asked if "cables" in path] == [None, ["3"], ["6"]]


def test_the_command_takes_the_token_from_the_environment(
    netbox: NetBox, project: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LAB_TOKEN", "t1")
    done = call("cabling", "import", f"{netbox.url}/netbox", "--token-env", "LAB_TOKEN")
    assert done.code == 0, done.err
    assert done.out.startswith("7 cables\n")
    assert {token for _path, _query, token in netbox.asked} == {"Token t1"}


def test_a_filter_stays(netbox: NetBox):
    fetch(f"{netbox.url}/netbox/api/dcim/cables/?site=hall-b&tag=a&limit=9", "")
    assert netbox.asked[0][1] == {"limit": ["500"], "site": ["hall-b"], "tag": ["a"]}
    assert netbox.asked[0][2] == ""


def test_newer_tokens_are_bearers(netbox: NetBox):
    fetch(f"{netbox.url}/netbox", "nbt_a.b")
    assert netbox.asked[0][2] == "Bearer nbt_a.b"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/refused", "HTTP 403: set a token in the environment .NETBOX_TOKEN. that may see cables and devices"),
        ("/none", "HTTP 404: give the URL of NetBox"),
        ("/moved", "HTTP 302"),
        ("/odd", "expected `results`, a list, got a mapping with results"),
        ("/html", "expected JSON, got something else: is this the URL of NetBox?"),
        ("/netbox/api/dcim/sites/", "expected the URL of NetBox or of /api/dcim/cables/"),
    ],
)
def test_an_answer_that_is_no_list_is_explained(netbox: NetBox, path: str, said: str):
    with pytest.raises(UsageError, match=said) as raised:
        fetch(f"{netbox.url}{path}", "s3cret")
    assert "s3cret" not in str(raised.value)


def test_a_server_that_does_not_answer_is_named():
    with pytest.raises(UsageError, match=r"http://127.0.0.1:9/api/dcim/cables/.*: NetBox does not answer: .*refused"):
        fetch("http://127.0.0.1:9", "")


def test_a_password_in_the_url_is_refused():
    with pytest.raises(UsageError, match="expected a URL without a password") as raised:
        fetch("https://me:hidden@netbox.example.com", "")
    assert "hidden" not in str(raised.value)
