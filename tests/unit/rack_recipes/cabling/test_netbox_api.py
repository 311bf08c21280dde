# SPDX-License-Identifier: GPL-3.0-or-later

"""NetBox's API over HTTP: all pages, the token for this server alone, and what to do where it does not answer."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cabling.json_server import JsonServer, Query, serving
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


class NetBox(JsonServer):
    """Answers as NetBox does."""

    def answer(self, path: str, query: Query, token: str) -> tuple[int, Any, dict[str, str]]:
        """What NetBox says at a path; anything but cables and devices is an error or a strange answer."""
        said: dict[str, tuple[int, Any]] = {
            "moved": (302, {}),
            "refused": (403, {"detail": "no"}),
            "odd": (200, {"results": "none"}),
            "html": (200, None),
        }
        code, told = said.get(path.split("/")[1], (404, {"detail": "Not Found"}))
        if path in LISTS:
            # Behind a proxy NetBox may name another server here, which must not get the token.
            code, told = 200, self.page(LISTS[path], query, "http://192.0.2.1/api/dcim/cables/?")
        return code, told, {"Location": f"{self.url}/netbox/api/dcim/cables/"} if code == 302 else {}


@pytest.fixture(scope="module")
def netbox() -> Iterator[NetBox]:
    with serving(NetBox()) as server:
        yield server


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
