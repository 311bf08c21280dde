# SPDX-License-Identifier: GPL-3.0-or-later

"""Planned hardware of NetBox and Nautobot over HTTP, as golden lists that the scriptlets take."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.cabling.json_server import JsonServer, Query, serving
from ansible_collections.rack.recipes.tests.unit.rack_recipes.cli.call_command import call
from rack_recipes.cabling.planned_hardware import PARTS, fetch_hardware, plan_hardware, without_parts
from rack_recipes.errors import UsageError

CASES = yaml.safe_load(Path(__file__).with_name("planned_hardware.yml").read_text(encoding="utf-8"))
ROOT = Path(__file__).resolve().parents[4]


class Server(JsonServer):
    """One of the two; Nautobot names related objects only with `depth`."""

    page_size = 2

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name, self.lists = name, CASES[name]

    def answer(self, path: str, query: Query, token: str) -> tuple[int, Any, dict[str, str]]:
        """A page of a list, for the right token."""
        name = path.removeprefix("/api/dcim/").strip("/")
        if token != "Token t0ken":
            return 403, {}, {}
        if name not in self.lists:
            return 404, {}, {}
        entries = self.lists[name]
        if self.name == "nautobot" and "depth" not in query and name == "devices":
            entries = [{**one, "device_type": {"id": one["device_type"]["id"], "url": "x"}} for one in entries]
        more = "".join(f"&{key}={values[0]}" for key, values in query.items() if key not in ("limit", "offset"))
        return 200, self.page(entries, query, f"{self.url}{path}?{more}"), {}


@pytest.mark.parametrize("name", ["netbox", "nautobot"])
def test_the_golden_lists_of_both_servers(name: str) -> None:
    with serving(Server(name)) as server:
        planned = fetch_hardware(f"{server.url}/api/dcim/devices/?site=hall-b", "t0ken")
    assert planned.hosts == CASES["planned"][name]
    assert planned.left_out == ({"no name": 1, "nothing planned": 1} if name == "netbox" else {})
    asked = {path for path, query, _token in server.asked if query.get("site") == ["hall-b"]}
    assert asked == {"/api/dcim/devices/"}


def test_the_scriptlet_takes_them(monkeypatch: pytest.MonkeyPatch, rack_context: Any) -> None:
    monkeypatch.syspath_prepend(str(ROOT))
    golden = importlib.import_module("scriptlets.host.golden").HostGolden
    planned = CASES["planned"]["netbox"]["node1"]["hardware_golden"]
    own = {
        "dmi": {
            "product_name": "PowerEdge XE9680",
            "product_serial": "SN-2",
            "bios_version": "2.3.1",
            "sys_vendor": "Dell",
        },
        "nics": {"eth0": {"mac": "aa:bb:cc:00:00:01", "driver": "mlx5_core"}, "eth5": {"mac": "x"}},
    }
    rack_context["host.hardware_v1"] = own
    outcome = rack_context.run(golden, {"golden": planned, "serials": True})
    assert outcome.verdict == "failed"
    found = rack_context["host.golden_v1"]
    assert [each["name"] for each in found["missing"]] == ["nics.ibs1"]
    assert [each["name"] for each in found["additional"]] == ["nics.eth5"]
    assert sorted(each["name"] for each in found["different"]) == ["dmi.bios_version", "dmi.product_serial"]


def test_the_command_writes_an_inventory(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETBOX_TOKEN", "t0ken")
    with serving(Server("netbox")) as server:
        done = call("hardware", "import", server.url)
        assert (done.code, done.err) == (
            0,
            "left out: 1 device with no name\nleft out: 1 device with nothing planned\n",
        )
        assert done.out == "2 hosts\nplanned-hardware.yml  written\n"
        written = yaml.safe_load((project / "planned-hardware.yml").read_text())
        assert written == {"all": {"hosts": CASES["planned"]["netbox"]}}
        again = call("hardware", "import", server.url, "--leave-out", "model", "--leave-out", "gpus")
        assert (
            again.code,
            any(line.startswith("-") and "product_name" in line for line in again.err.splitlines()),
        ) == (1, True)
        assert again.out.endswith("nothing is written: --overwrite writes what is shown above\n")
        told = json.loads(call("hardware", "import", server.url, "--json").out)
        assert told == {"hosts": 2, "files": {"planned-hardware.yml": "unchanged"},
                        "left_out": {"no name": 1, "nothing planned": 1}}  # fmt: skip
        monkeypatch.setenv("NETBOX_TOKEN", "other")
        refused = call("hardware", "import", server.url)
    assert (refused.code, "HTTP 403: set a token in the environment" in refused.err) == (2, True)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_that_is_left_out(part: str) -> None:
    whole = CASES["planned"]["netbox"]
    text = json.dumps(without_parts(whole, [part]))
    signs = {"model": "XE9680", "serial": "SN-1", "firmware": "2.4.4", "interfaces": "eth0", "gpus": "gpus_planned"}
    assert [name for name, sign in signs.items() if sign not in text] == [part]


def test_all_parts_and_none() -> None:
    whole = CASES["planned"]["netbox"]
    assert without_parts(whole, PARTS) == {}
    assert without_parts(whole, []) == whole
    with pytest.raises(UsageError, match="expected one of model, serial"):
        without_parts(whole, ["colour"])


@pytest.mark.parametrize(
    ("devices", "says"),
    [
        ([{"id": 1, "name": "a"}, {"id": 2, "name": "a"}], "1 name of several devices each, such as"),
        ([{"id": 1, "name": "a", "serial": "{{ lookup('pipe', 'id') }}"}], "without signs of a template"),
        ([{"id": 1, "name": "{% x %}"}], "without signs of a template"),
    ],
)
def test_what_is_refused(devices: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        plan_hardware(devices, (), (), ())
