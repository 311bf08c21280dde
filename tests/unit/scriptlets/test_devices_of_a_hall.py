# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for GPUs, switches, cables and coolant, on what devices answer (`captured/README-hall.md`)."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table
from ansible_collections.rack.recipes.tests.unit.scriptlets.conftest import captured

ROOT = Path(__file__).resolve().parents[3]
COMMON = {"timeout": 5, "verify": True, "user": "", "password": ""}
XID = "DCGM_FI_DEV_XID_ERRORS"
CASES = yaml.safe_load(Path(__file__).with_name("link_cases.yml").read_text(encoding="utf-8"))


class Device(http.server.BaseHTTPRequestHandler):
    """Answers with what the test says: texts, JSON, or the number of an error, by path."""

    answers: dict[str, Any] = {}
    asked: list[tuple[str, str | None]] = []
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.asked.append((self.path, self.headers["Authorization"]))
        answer = self.answers.get(self.path, 404)
        body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
        self.send_response(answer if isinstance(answer, int) else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, format, *args):  # noqa: A002 - the name of the overridden one
        pass


@pytest.fixture
def device() -> Iterator[tuple[str, dict[str, Any]]]:
    """The address of a device, and its answers by path."""
    Device.answers, Device.asked = {}, []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Device)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", Device.answers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def exporter(gpus: int = 2, **values: float) -> str:
    """What an exporter says of GPUs; `values` by metric, of GPU 0."""
    healthy = {XID: 0.0, "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL": 1000.0}
    told = [(gpu, {**healthy, **(values if gpu == 0 else {})}) for gpu in range(gpus)]
    return "".join(f'{name}{{gpu="{gpu}"}} {value}\n' for gpu, metrics in told for name, value in metrics.items())


class TestHttp:
    @pytest.mark.parametrize("url", ["ftp://bmc", "bmc", "http://"])
    def test_what_is_no_address(self, scriptlet, url):
        with pytest.raises(ValueError, match="url: expected http://HOST or https://HOST"):
            scriptlet("tools.http_api").HttpApi(url)

    def test_the_password_is_sent_and_never_shown(self, scriptlet, device):
        url, answers = device
        answers["/at/x"] = 401
        api = scriptlet("tools.http_api").HttpApi(url + "/at/", "admin", "s3cret")
        with pytest.raises(ValueError, match=r"/at/x answered HTTP 401: check user and password") as told:
            api.get("/x")
        assert "s3cret" not in str(told.value)
        assert Device.asked == [("/at/x", "Basic YWRtaW46czNjcmV0")]
        api.close()

    @pytest.mark.parametrize(("answer", "said"), [("{oops", "answered no JSON"), ([1], "answered no JSON object")])
    def test_what_is_no_object(self, scriptlet, device, answer, said):
        url, answers = device
        answers["/x"] = answer
        with scriptlet("tools.http_api").service({"url": url, **COMMON}) as api, pytest.raises(ValueError, match=said):
            api.get("/x")

    def test_nobody_listens(self, scriptlet, device):
        api = scriptlet("tools.http_api").HttpApi("http://127.0.0.1:1", timeout=1)
        with pytest.raises(
            ValueError, match=r"127\.0\.0\.1:1/x could not be read: .*refused: check that the device has power"
        ):
            api.get("/x")

    def test_one_connection_serves_many_questions(self, scriptlet, device):
        url, answers = device
        answers["/x"] = {"a": 1}
        with scriptlet("tools.http_api").service({"url": url, **COMMON}) as api:
            assert [api.get("/x"), api.get("/x")] == [{"a": 1}] * 2


class TestMetrics:
    @pytest.mark.parametrize("line", ["name{", 'name{a="b} 1', "name", "name one", "{} 1"])
    def test_what_is_no_sample(self, scriptlet, line):
        with pytest.raises(ValueError, match="line 2 of the metrics is no sample"):
            scriptlet("tools.prometheus_text").samples(f"# HELP x\n{line}\n")

    def test_escapes_braces_and_times(self, scriptlet):
        text = 'a{x="}, \\"y\\" \\\\n",z="\\n",} 1.5e3 1700000000000\nb +Inf\n'
        assert scriptlet("tools.prometheus_text").samples(text) == [
            ("a", {"x": '}, "y" \\n', "z": "\n"}, 1500.0),
            ("b", {}, float("inf")),
        ]

    @pytest.mark.parametrize(("name", "gpus"), [("2.6", 2), ("2.4-t4", 1), ("4", 3)])
    def test_each_version_of_the_exporter(self, scriptlet, name, gpus):
        found = scriptlet("tools.dcgm_metrics").by_gpu(captured(f"dcgm-exporter-{name}.txt"))
        assert [metrics[XID] for metrics in found.values()] == [0] * gpus

    def test_no_value_is_none(self, scriptlet):
        found = scriptlet("tools.dcgm_metrics").by_gpu(captured("dcgm-exporter-2.6.txt"))
        assert found[1]["DCGM_FI_DEV_ECC_DBE_VOL_TOTAL"] is None
        assert found[1]["DCGM_FI_DEV_GPU_TEMP"] == 31

    @pytest.mark.parametrize("value", ["9223372036854775792", "2147483632", "140737488355329", "NaN"])
    def test_each_sign_of_no_value(self, scriptlet, value):
        assert scriptlet("tools.dcgm_metrics").is_blank(float(value))

    def test_the_worst_of_several_instances_counts(self, scriptlet):
        text = 'DCGM_FI_DEV_X{gpu="0",GPU_I_ID="1"} 3\nDCGM_FI_DEV_X{gpu="0",GPU_I_ID="2"} 1\nDCGM_FI_DEV_X 9\nup 1\n'
        assert scriptlet("tools.dcgm_metrics").by_gpu(text) == {0: {"DCGM_FI_DEV_X": 3}}


class TestGpus:
    @pytest.fixture
    def run(self, scriptlet, device, rack_context) -> Callable[..., Any]:
        def run(text: str, expected: int = 2) -> Any:
            device[1]["/metrics"] = text
            return rack_context.run(scriptlet("dcgm.gpus").DcgmGpus, {"url": device[0], "expected": expected})

        return run

    @pytest.mark.parametrize(("name", "gpus"), [("2.6", 2), ("2.4-t4", 1), ("4", 3)])
    def test_healthy(self, run, rack_context, name, gpus):
        assert run(captured(f"dcgm-exporter-{name}.txt"), gpus).verdict == "passed"
        assert len(rack_context["dcgm.gpus_v1"]) == gpus

    @table("metric", "value", "said")
    def test_what_is_wrong_with_a_gpu(self, run, metric, value, said):
        outcome = run(exporter(**{metric: value}))
        assert (outcome.verdict, outcome.reason[: len(said)]) == ("failed", said)

    @table("seen", "expected", "said")
    def test_their_number(self, run, seen, expected, said):
        assert (run(exporter(seen), expected).verdict, run(exporter(seen), expected).reason) == ("failed", said)

    def test_without_xids_nothing_is_known(self, run):
        outcome = run('DCGM_FI_DEV_GPU_TEMP{gpu="0"} 30\n', 1)
        assert outcome.verdict == "error"
        assert outcome.reason.endswith(f"the exporter does not give {XID} of GPU 0: add it to its list of counters")

    def test_an_exporter_that_is_away(self, scriptlet, rack_context):
        params = {"url": "http://127.0.0.1:1", "expected": 1, "timeout": 1}
        assert rack_context.run(scriptlet("dcgm.gpus").DcgmGpus, params).verdict == "error"


class TestNvlink:
    @pytest.fixture
    def run(self, scriptlet, device, rack_context) -> Callable[[str], Any]:
        def run(text: str) -> Any:
            device[1]["/metrics"] = text
            return rack_context.run(scriptlet("dcgm.nvlink").DcgmNvlink, {"url": device[0]})

        return run

    @table("metric", "value", "verdict")
    def test_counters(self, run, metric, value, verdict):
        outcome = run(exporter(**{metric: value}))
        assert outcome.verdict == verdict
        assert ("reseat the GPU and the NVLink" in outcome.reason) == (verdict == "failed")

    def test_several_gpus_are_one_finding(self, run):
        text = "".join(
            f'DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL{{gpu="{gpu}"}} {count}\n'
            for gpu, count in enumerate((1500, 0, 1600))
        )
        assert run(text).reason == (
            "GPUs 0, 2: up to 1600 NVLink CRC flit errors: drain the node, reseat the GPUs and the NVLink connections, "
            "and run the bandwidth test again"
        )

    def test_one_gpu(self, run):
        outcome = run(captured("dcgm-exporter-2.4-t4.txt"))
        assert (outcome.verdict, outcome.reason.startswith("no such hardware")) == ("skipped", True)

    @pytest.mark.parametrize("name", ["2.6", "4"])
    def test_no_value_is_no_pass(self, run, name):
        outcome = run(captured(f"dcgm-exporter-{name}.txt"))
        assert outcome.verdict == "error"
        assert outcome.reason.endswith("the exporter gives nothing about NVLinks: add them to its list of counters")

    def test_a_node_that_has_just_started(self, run):
        text = "".join(f'DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL{{gpu="{gpu}"}} 0\n' for gpu in (0, 1))
        assert run(text).verdict == "marginal"


class TestSwitchTables:
    def test_cumulus(self, scriptlet):
        found = scriptlet("tools.switch_tables").nvue_ports(json.loads(captured("nvue-cumulus-link.json")))
        assert found == {"swp1": {"up": True, "speed_gbps": 1, "seen": []}}

    def test_nvue(self, scriptlet):
        found = scriptlet("tools.switch_tables").nvue_ports(json.loads(captured("nvue-simhall-0.1.0.json")))
        node7 = {"system": "node7", "chassis": "b8:3f:d2:00:07:00", "port": "mlx5_3", "mac": ""}
        assert found["swp21"] == {"up": False, "speed_gbps": None, "seen": []}
        assert found["swp22"] == {"up": True, "speed_gbps": 400, "seen": [node7]}

    def test_eapi_of_older_eos_has_names_in_quotes(self, scriptlet):
        found = scriptlet("tools.switch_tables").eapi_ports(*json.loads(captured("eapi-lldp-anta.json")))
        spine = {"system": "DC1-SPINE1", "chassis": "00:1c:73:a0:fc:18", "port": "Ethernet1", "mac": ""}
        assert found["Ethernet1"] == {"up": True, "speed_gbps": 100, "seen": [spine]}
        assert found["Ethernet3"] == {"up": False, "speed_gbps": None, "seen": []}
        assert "Management1" not in found

    def test_eapi_with_addresses_for_names(self, scriptlet):
        found = scriptlet("tools.switch_tables").eapi_ports(*json.loads(captured("eapi-simhall-0.1.0.json")))
        assert found["Ethernet1"]["seen"][0]["mac"] == "b8:3f:d2:00:01:01"
        assert (found["Ethernet1"]["seen"][0]["port"], found["Ethernet150"]["seen"]) == ("", [])

    def test_neighbours_without_states_are_no_table(self, scriptlet):
        with pytest.raises(ValueError, match="without a single port"):
            scriptlet("tools.switch_tables").eapi_ports({"lldpNeighbors": {"Ethernet1": {}}}, {})

    @pytest.mark.parametrize(
        ("text", "gbps"), [("400G", 400), ("100M", 0.1), ("auto", None), (None, None), (25000, 25)]
    )
    def test_speeds(self, scriptlet, text, gbps):
        assert scriptlet("tools.switch_tables").speed_gbps(text) == gbps


class TestSwitchPorts:
    @pytest.fixture
    def run(self, scriptlet, device, rack_context) -> Callable[..., Any]:
        def run(api: str, answer: Any) -> Any:
            path = {"nvue": "/nvue_v1/interface?rev=operational", "eapi": "/command-api"}[api]
            device[1][path] = answer
            return rack_context.run(scriptlet("cabling.switch_ports").SwitchPorts, {"url": device[0], "api": api})

        return run

    def test_both_ways(self, run, rack_context):
        assert run("nvue", json.loads(captured("nvue-simhall-0.1.0.json"))).verdict == "passed"
        assert rack_context.measured["ports_up"] == 2
        assert run("eapi", {"result": json.loads(captured("eapi-simhall-0.1.0.json"))}).verdict == "passed"

    @table("api", "answer", "said")
    def test_what_is_no_table_is_an_error(self, run, api, answer, said):
        outcome = run(api, answer)
        assert outcome.verdict == "error"
        assert said in outcome.reason


PLAN = {"node1": {"nic0": "leaf1:swp1", "nic1": "leaf2:swp1"}, "node2": {"nic0": "leaf1:swp2", "nic1": "leaf2:swp2"}}
FACTS = {
    host: {port: {"label": f"C-{host[-1]}{port[-1]}", "speed_gbps": 400, "mac": ""} for port in ports}
    for host, ports in PLAN.items()
}


def port(*seen: str, up: bool = True, gbps: float = 400) -> dict[str, Any]:
    """A port that sees these `HOST:PORT`, or `HOST` with the address after a slash."""
    found = []
    for each in seen:
        system, _colon, name = each.partition(":")
        system, _slash, mac = system.partition("/")
        found.append({"system": system, "chassis": "", "port": name, "mac": mac.replace("-", ":")})
    return {"up": up, "speed_gbps": gbps if up else None, "seen": found}


def dark() -> dict[str, Any]:
    return port(up=False)


def written(text: str | None) -> dict[str, Any]:
    """A port as `link_cases.yml` writes it."""
    if text is None:
        return dark()
    seen, _blank, more = text.partition(" ")
    return port(*[seen] if seen != "-" else [], up=more != "down", gbps=float(more) if more.isdigit() else 400)


def healthy() -> dict[str, dict[str, Any]]:
    return {
        "leaf1": {"swp1": port("node1:nic0"), "swp2": port("node2:nic0"), "swp3": dark()},
        "leaf2": {"swp1": port("node1:nic1"), "swp2": port("node2.lab:NIC1"), "swp3": dark()},
    }


class TestLinks:
    @pytest.fixture
    def judged(self, scriptlet) -> Callable[..., Any]:
        def judged(changes: dict[str, dict[str, Any] | None], nics: dict[str, Any] | None = None) -> Any:
            tables = healthy()
            for switch, ports in changes.items():
                if ports is None:
                    del tables[switch]
                else:
                    tables[switch].update(ports)
            cables = scriptlet("cabling.judge_links").planned(PLAN, FACTS)
            return scriptlet("tools.link_judgement").judge(cables, tables, nics or {})

        return judged

    def test_as_planned(self, judged):
        assert judged({}) == {
            host: {"good": 2, "of": 2, "findings": [], "unverified": []} for host in ("node1", "node2")
        }

    @pytest.mark.parametrize("name", CASES)
    def test_what_to_do(self, judged, name):
        case = CASES[name]
        changes = {
            switch: {port: written(text) for port, text in case[switch].items()}
            for switch in ("leaf1", "leaf2")
            if switch in case
        }
        found = {
            device: [f"{each['port']} {each['kind']}: {each['do']}" for each in own["findings"]]
            for device, own in judged(changes, case.get("nics")).items()
        }
        assert {device: texts for device, texts in found.items() if texts} == case["do"]

    def test_each_source_is_shown(self, judged):
        nic = {"mac": "", "link": "LinkUp", "speed_gbps": 400, "peer": "leaf1", "peer_port": "swp3"}
        found = judged(
            {"leaf1": {"swp1": dark(), "swp3": port("node1:nic0")}}, {"node1": {"power": "On", "ports": {"nic0": nic}}}
        )
        assert found["node1"]["findings"][0]["evidence"] == [
            "leaf1 swp1: down, sees nobody",
            "leaf1 swp3: up, 400 Gbit/s, sees node1 nic0",
            "BMC of node1: nic0 LinkUp, 400 Gbit/s, sees leaf1 swp3",
        ]

    def test_a_switch_that_was_not_read_verifies_nothing(self, judged):
        found = judged({"leaf1": None})
        assert (found["node1"]["good"], found["node1"]["findings"]) == (1, [])
        assert found["node1"]["unverified"] == ["nic0: the ports of leaf1 could not be read"]

    def test_a_cable_of_an_unread_switch_may_be_seen_elsewhere(self, judged):
        found = judged({"leaf1": None, "leaf2": {"swp3": port("node1:nic0")}})
        assert found["node1"]["findings"][0]["do"] == "move the cable from leaf2 port 3 to leaf1 port 1"

    def test_addresses_for_names_are_known_from_the_bmc(self, judged):
        seen = {"leaf1": {"swp1": port("node1/aa-bb-cc-00-00-01")}}
        assert judged(seen)["node1"]["unverified"] == [
            "nic0: leaf1 sees node1 with aa:bb:cc:00:00:01, which no port has"
        ]
        nic = {"mac": "aa:bb:cc:00:00:01", "link": "LinkUp", "speed_gbps": 400, "peer": "", "peer_port": ""}
        found = judged(seen, {"node1": {"power": "On", "ports": {"NIC0": nic}}})
        assert found["node1"] == {"good": 2, "of": 2, "findings": [], "unverified": []}

    def test_between_switches(self, scriptlet):
        cables = scriptlet("cabling.judge_links").planned({"s1": {"swp9": "s2:swp9"}, "s2": {"swp9": "s1:swp9"}}, {})
        tables = {"s1": {"swp9": port("s2:swp9")}, "s2": {"swp9": port("s1:swp9")}}
        assert len(cables) == 1
        assert scriptlet("tools.link_judgement").judge(cables, tables, {})["s1"]["good"] == 1

    def test_a_plan_with_a_bad_end(self, scriptlet):
        with pytest.raises(ValueError, match="cables: node1, nic0: expected NODE:PORT, got 'leaf1'"):
            scriptlet("cabling.judge_links").planned({"node1": {"nic0": "leaf1"}}, {})


def bmc(prefix: str = "", power: str = "On", **ports: Any) -> dict[str, Any]:
    """A BMC whose only adapter has these ports."""
    root = "/redfish/v1"
    chassis, adapter = f"{root}/Chassis/1", f"{root}/Chassis/1/NetworkAdapters/1"
    tree = {
        f"{root}/": {"Systems": {"@odata.id": f"{root}/Systems"}, "Chassis": {"@odata.id": f"{root}/Chassis"}},
        f"{root}/Systems": {"Members": [{"@odata.id": f"{root}/Systems/1"}]},
        f"{root}/Systems/1": {"Id": "1", "PowerState": power},
        f"{root}/Chassis": {"Members": [{"@odata.id": chassis}]},
        chassis: {"NetworkAdapters": {"@odata.id": f"{chassis}/NetworkAdapters"}},
        f"{chassis}/NetworkAdapters": {"Members": [{"@odata.id": adapter}]},
        adapter: {"Ports": {"@odata.id": f"{adapter}/Ports"}},
        f"{adapter}/Ports": {"Members": [{"Name": name, **fields} for name, fields in ports.items()]},
    }
    return {prefix + path: answer for path, answer in tree.items()}


class TestJudgeLinks:
    @pytest.fixture
    def run(self, scriptlet, device, rack_context) -> Callable[..., Any]:
        def run(tables: dict[str, Any], **params: Any) -> Any:
            for switch, ports in tables.items():
                rack_context.give("switch.ports_v1", ports, switch)
            bmcs = {host: f"{device[0]}/{host}" for host in PLAN}
            given = {"cables": PLAN, "facts": FACTS, "bmcs": bmcs, "user": "audit", "password": "p", **params}
            return rack_context.run(scriptlet("cabling.judge_links").JudgeLinks, given)

        return run

    def test_no_bmc_is_asked_where_all_is_well(self, run, rack_context):
        assert run(healthy()).verdict == "passed"
        assert (rack_context.measured["links_good"], Device.asked) == (4, [])

    def test_the_bmc_of_a_node_with_a_bad_cable_is_asked(self, run, device, rack_context):
        link = {"LinkStatus": "Down", "CurrentLinkSpeedMbps": 0, "AssociatedNetworkAddresses": ["AA:BB:CC:00:00:01"]}
        device[1].update(bmc("/node1", nic0=link))
        tables = healthy()
        tables["leaf1"]["swp1"] = dark()
        assert run(tables).verdict == "passed"
        (finding,) = rack_context["cabling.judged_v1"]["node1"]["findings"]
        assert finding["do"].startswith("seat the cable at leaf1 port 1")
        assert finding["evidence"][1] == "BMC of node1: nic0 LinkDown"
        assert {path.split("/")[1] for path, _user in Device.asked} == {"node1"}

    def test_a_bmc_that_does_not_answer_is_part_of_the_evidence(self, run, rack_context):
        tables = healthy()
        tables["leaf1"]["swp1"] = dark()
        assert run(tables).verdict == "passed"
        assert "HTTP 404" in rack_context["cabling.judged_v1"]["node1"]["findings"][0]["evidence"][1]

    def test_addresses_that_no_plan_has_are_asked_of_the_bmc(self, run, device, rack_context):
        lldp = {"SystemName": "leaf1", "PortId": "swp1"}
        port_of_bmc = {"LinkStatus": "LinkUp", "CurrentSpeedGbps": 400, "Ethernet": {
            "AssociatedMACAddresses": ["aa:bb:cc:00:00:01"], "LLDPReceive": lldp}}  # fmt: skip
        device[1].update(bmc("/node1", nic0=port_of_bmc))
        tables = healthy()
        tables["leaf1"]["swp1"] = port("node1/aa-bb-cc-00-00-01")
        assert run(tables).verdict == "passed"
        assert rack_context["cabling.judged_v1"]["node1"]["good"] == 2

    def test_without_any_switch_nothing_is_judged(self, run):
        outcome = run({})
        assert outcome.verdict == "error"
        assert outcome.reason.endswith("no switch could be read, so no cable was judged: look at the step before")


class TestOwnLinks:
    @pytest.fixture
    def run(self, scriptlet, rack_context) -> Callable[..., Any]:
        def run(**own: Any) -> Any:
            judged = {"node1": {"good": 2, "of": 2, "findings": [], "unverified": [], **own}} if own else None
            if judged:
                rack_context["cabling.judged_v1"] = judged
            return rack_context.run(scriptlet("cabling.own_links").OwnLinks, {"device": "node1"})

        return run

    def test_as_planned(self, run):
        assert run(good=2).verdict == "passed"

    def test_what_was_not_judged_is_an_error(self, run):
        assert run().verdict == "error"
        outcome = run(good=1, unverified=["nic0: the ports of leaf1 could not be read"])
        assert outcome.verdict == "error"
        assert outcome.reason.endswith("1 of 2 links could not be judged: nic0: the ports of leaf1 could not be read")

    def test_a_finding_ends_in_what_to_do(self, run, rack_context):
        finding = {
            "kind": "moved", "cable": "C-10", "port": "nic0", "expected": "leaf1 port 1", "found": "leaf1 port 3",
            "do": "move the cable at leaf1 from port 3 to port 1", "seen": ["leaf1", "swp3"],
            "planned": ["leaf1", "swp1"], "evidence": ["leaf1 swp1: down", "leaf1 swp3: up"],
        }  # fmt: skip
        outcome = run(good=1, findings=[finding])
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "nic0 (C-10): expected leaf1 port 1, found leaf1 port 3: move the cable at leaf1 from port 3 to port 1 "
            "[leaf1 swp1: down; leaf1 swp3: up]"
        )
        assert rack_context["links.cabling_v1"] == {
            "nic0": {"peer": "leaf1", "peer_port": "swp3", "expected_peer": "leaf1", "expected_port": "swp1"}
        }

    def test_of_very_many_findings_some_are_spelt_out(self, run):
        one = {"port": "", "found": "x", "do": "y", "evidence": []}
        assert run(good=0, findings=[one] * 10).reason.endswith("; and 2 more")


def thermal(detector: str = "OK", inlet: float = 24, coolant: float = 30) -> dict[str, Any]:
    """A BMC with a chassis that has a detector in a group, and temperatures."""
    at = "/redfish/v1/Chassis/1"
    return {
        "/redfish/v1/": {"Chassis": {"@odata.id": "/redfish/v1/Chassis"}},
        "/redfish/v1/Chassis": {"Members": [{"@odata.id": at}]},
        at: {"ThermalSubsystem": {"@odata.id": at + "/T"}},
        at + "/T": {"LeakDetection": {"@odata.id": at + "/L"}, "ThermalMetrics": {"@odata.id": at + "/M"}},
        at + "/L": {"LeakDetectorGroups": [{"Detectors": [{"DeviceName": "Tray", "DetectorState": detector}]}]},
        at + "/M": {"TemperatureReadingsCelsius": [
            {"DeviceName": "Inlet Air", "Reading": inlet}, {"DeviceName": "Coolant Supply", "Reading": coolant},
            {"DeviceName": "Exhaust Air", "Reading": inlet + 14},
        ]},
    }  # fmt: skip


class TestCooling:
    @pytest.fixture
    def run(self, scriptlet, device, rack_context) -> Callable[..., Any]:
        def run(answers: dict[str, Any], **params: Any) -> Any:
            device[1].update(answers)
            given = {"url": device[0], "user": "audit", "password": "p", **params}
            return rack_context.run(scriptlet("cooling.leaks").CoolingLeaks, given)

        return run

    @table("fields", "said")
    def test_what_is_wrong(self, run, fields, said):
        assert run(thermal()).verdict == "passed"
        outcome = run(thermal(**fields))
        assert (outcome.verdict, outcome.reason[: len(said)]) == ("failed", said)

    def test_without_detectors(self, run):
        answers = {**thermal(), "/redfish/v1/Chassis/1/L": 404}
        assert run(answers).reason.startswith("the BMC shows no leak detectors: check its firmware")
        assert run(answers, required=False).verdict == "passed"

    @pytest.mark.parametrize("below", ["/redfish/v1", "/redfish/v1/", "/"])
    def test_the_address_of_the_service_itself(self, run, device, below):
        assert run(thermal(), url=device[0] + below).verdict == "passed"

    def test_detectors_in_a_collection(self, run):
        at = "/redfish/v1/Chassis/1/L"
        answers = {
            **thermal(),
            at: {"LeakDetectors": {"@odata.id": at + "/D"}},
            at + "/D": {"Members": [{"@odata.id": at + "/1"}]},
            at + "/1": {"Name": "Manifold", "DetectorState": "Warning"},
        }
        assert run(answers).reason.startswith("Manifold: Warning")

    def test_a_bmc_that_answers_with_an_error(self, run):
        assert run({**thermal(), "/redfish/v1/Chassis/1/T": 500}).verdict == "error"
