# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for Redfish, on what devices of several vendors answered (`captured/redfish/`)."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

ROOT = Path(__file__).resolve().parents[3]
CAPTURED = Path(__file__).parent / "captured" / "redfish"
PASSWORD = "se/cret:word"
ALLOWED = "Basic " + base64.b64encode(f"admin:{PASSWORD}".encode()).decode()
CHASSIS = "/redfish/v1/Chassis/1"
DELL = "/redfish/v1/Chassis/System.Embedded.1"


class Device:
    """A device that answers with resources; a number instead of one is an HTTP status. It keeps what it is ordered."""

    def __init__(self, resources: dict[str, Any]) -> None:
        self.resources = resources
        self.orders: list[tuple[str, Any]] = []
        self.moved: dict[str, str] = {}
        self.busy = 0
        self.on_order: Callable[[str], None] = lambda _kind: None
        device = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status: int, body: object = None, **headers: str) -> None:
                text = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(b"" if status == 204 else text)

            def do_GET(self) -> None:
                if self.headers["Authorization"] != ALLOWED:
                    self.answer(401)
                elif self.path in device.moved:
                    self.answer(308, Location=device.moved[self.path])
                else:
                    found = device.resources.get(self.path.rstrip("/"), 404)
                    status = found if isinstance(found, int) else 200
                    error = {"error": {"message": "in general", "@Message.ExtendedInfo": [{"Message": "busy\x1b[0m"}]}}
                    self.answer(status, error if isinstance(found, int) else found)

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if device.busy:
                    device.busy -= 1
                    self.answer(503)
                    return
                device.orders.append((self.path, body))
                device.on_order(body["ResetType"])
                self.answer(204)

            def log_message(self, *_words: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.place = f"127.0.0.1:{self.server.server_port}"
        self.url = f"http://{self.place}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def device() -> Iterator[Callable[..., Device]]:
    """A function that starts a device with what a vendor's one answered, and with other resources."""
    started: list[Device] = []

    def start(vendor: str = "", **more: Any) -> Device:
        held = json.loads((CAPTURED / f"{vendor}.json").read_text()) if vendor else {}
        started.append(Device({**held, **more}))
        return started[-1]

    yield start
    for each in started:
        each.close()


def args(device: Device, **more: Any) -> dict[str, Any]:
    return {"url": device.url, "user": "admin", "password": PASSWORD, **more}


@pytest.fixture
def client(scriptlet: Callable[[str], ModuleType]) -> Iterator[Callable[..., Any]]:
    """A function that makes the client of a device."""
    given = {"verify": True, "ca": "", "timeout": 5}
    with contextlib.ExitStack() as opened:
        module = scriptlet("tools.redfish")
        yield lambda found, **more: opened.enter_context(module.client_of({**args(found), **given, **more}))


class TestClient:
    def test_a_wrong_password_is_said_without_it(self, client, device):
        with pytest.raises(Exception, match=r"refuses the user 'admin' at /redfish/v1/: check user, pass") as caught:
            client(device("hpe-ilo5"), password="other-word").get("/redfish/v1/")
        assert "other-word" not in str(caught.value)

    def test_a_device_that_refuses_the_connection(self, client, device):
        gone = device()
        gone.close()
        with pytest.raises(Exception, match=f"{gone.place} refuses the connection: is the BMC's web service on"):
            client(gone).get("/redfish/v1/")

    def test_a_device_that_does_not_answer(self, client, device):
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            with pytest.raises(Exception, match=r"does not answer within 0.2 s: check the BMC's cable"):
                client(device(), url=url, timeout=0.2).get("/redfish/v1/")

    @pytest.mark.parametrize("url", ["bmc1", "ftp://bmc1", "https://", "https://bmc1:port", "https://[::1"])
    def test_what_is_no_url(self, client, device, url):
        with pytest.raises(Exception, match="url: expected https://ADDRESS, got"):
            client(device(), url=url)

    @pytest.mark.parametrize(
        ("found", "says"),
        [
            (404, r"has no /redfish/v1/X \(HTTP 404\)"),
            (501, r"has no /redfish/v1/X \(HTTP 501\)"),
            (503, r"HTTP 503 for GET /redfish/v1/X: busy \[0m$"),
            ([1], "expected an object at /redfish/v1/X"),
            (b"<html>", r"what is at /redfish/v1/X is no JSON: b'<html>'"),
        ],
    )
    def test_what_is_no_resource(self, client, device, found, says):
        with pytest.raises(Exception, match=says):
            client(device(**{"/redfish/v1/X": found})).get("/redfish/v1/X")

    def test_a_name_that_is_not_known(self, client, device):
        with pytest.raises(Exception, match="no such name"):
            client(device(), url="https://no-such-bmc.invalid").get("/redfish/v1/")

    def test_plain_http_behind_https(self, client, device):
        found = device()
        with pytest.raises(Exception, match="speaks no TLS that is accepted here"):
            client(found, url=f"https://{found.place}").get("/redfish/v1/")

    def test_a_link_to_elsewhere_does_not_get_the_password(self, client, device):
        thief = device()
        asked = []
        thief.resources = {"/x": {}}
        thief.server.RequestHandlerClass.do_GET = lambda handler: asked.append(handler.path)  # type: ignore[attr-defined]
        found = device(**{"/redfish/v1/A": {"Members": [{"@odata.id": f"{thief.url}/x"}]}})
        found.moved = {"/redfish/v1/B": f"{thief.url}/x"}
        with pytest.raises(Exception, match="which is not a path of its own"):
            [*client(found).members(client(found).get("/redfish/v1/A"))]
        with pytest.raises(Exception, match="which is not a path of its own"):
            client(found).get("/redfish/v1/B")
        assert not asked

    def test_a_path_of_its_own_may_be_moved_but_not_for_ever(self, client, device):
        found = device(**{"/redfish/v1/A": {"Id": "a"}})
        found.moved = {"/redfish/v1/old": "/redfish/v1/A/", "/redfish/v1/B": "/redfish/v1/B"}
        assert client(found).get("/redfish/v1/old") == {"Id": "a"}
        with pytest.raises(Exception, match="moves /redfish/v1/B too often"):
            client(found).get("/redfish/v1/B")

    def test_the_pages_of_a_collection_follow_each_other(self, client, device):
        second = {"Members": [{"Id": "2", "@odata.id": "/b"}]}
        first = {"Members": [{"@odata.id": "/redfish/v1/A"}], "Members@odata.nextLink": "/redfish/v1/P?$skip=1"}
        found = device(**{"/redfish/v1/A": {"Id": "1"}, "/redfish/v1/P?$skip=1": second})
        assert [each["Id"] for each in client(found).members(first)] == ["1", "2"]

    def test_pages_without_an_end(self, client, device, scriptlet, monkeypatch):
        monkeypatch.setattr(scriptlet("tools.redfish"), "MOST_PAGES", 3)
        page = {"Members": [], "Members@odata.nextLink": "/redfish/v1/P"}
        with pytest.raises(Exception, match="more than 3 pages"):
            [*client(device(**{"/redfish/v1/P": page})).members(page)]

    def test_an_answer_that_is_too_long(self, client, device, scriptlet, monkeypatch):
        monkeypatch.setattr(scriptlet("tools.redfish"), "MOST_BYTES", 10)
        with pytest.raises(Exception, match="has more than 10 bytes"):
            client(device(**{"/redfish/v1/A": {"Id": "a" * 20}})).get("/redfish/v1/A")

    def test_a_device_with_several_systems(self, client, device):
        systems = {"Members": [{"Id": "1", "Name": "a"}, {"Id": "2", "Name": "b"}]}
        found = device(**{"/redfish/v1": {"Systems": {"@odata.id": "/s"}}, "/s": systems})
        assert client(found).system("2")["Name"] == "b"
        with pytest.raises(Exception, match="manages 2 systems: name one of them"):
            client(found).system()
        with pytest.raises(Exception, match="manages 0 systems with the Id '3'"):
            client(found).system("3")


class TestTrust:
    @pytest.fixture
    def safe(self, device: Callable[..., Device], tmp_path: Path) -> tuple[Device, Path]:
        """A device that speaks TLS, and its certificate, which it has signed itself."""
        key, certificate = tmp_path / "key", tmp_path / "crt"
        words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=x"
        more = ("-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate))
        subprocess.run([*words.split(), *more], check=True, capture_output=True)
        found = device(**{"/redfish/v1": {"Name": "root"}})
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        found.server.socket = context.wrap_socket(found.server.socket, server_side=True)
        found.url = f"https://{found.place}"
        return found, certificate

    def test_a_certificate_that_nobody_knows_is_refused(self, client, safe):
        with pytest.raises(Exception, match=r"is not trusted \(self-signed certificate\): give its authority"):
            client(safe[0]).get("/redfish/v1/")

    def test_it_is_trusted_where_the_step_says_so(self, client, safe):
        found, certificate = safe
        for more in ({"verify": False}, {"ca": str(certificate)}, {"ca": certificate.read_text()}):
            assert client(found, **more).get("/redfish/v1/") == {"Name": "root"}

    @pytest.mark.parametrize("ca", ["/no/such/file", "-----BEGIN nonsense"])
    def test_what_is_no_certificate(self, client, device, ca):
        with pytest.raises(Exception, match="ca: expected the path or the text of a certificate"):
            client(device(), ca=ca)


class TestInventory:
    @table("vendor", "model", "memory", "bmc")
    def test_what_a_server_is(self, scriptlet, device, rack_context, vendor, model, memory, bmc):
        module = scriptlet("redfish.inventory")
        outcome = rack_context.run(module.RedfishInventory, args(device(vendor), expected={"model": model}))
        assert outcome.verdict == "passed", outcome.reason
        found = rack_context["redfish.inventory_v1"]
        assert (found["model"], found["memory_gib"], found["bmc_version"]) == (model, memory, bmc)
        assert (found["processors"], found["power"], found["ports"]) == (2, "On", None)

    def test_what_is_not_as_expected(self, scriptlet, device, rack_context):
        found = device("hpe-ilo5")
        found.resources["/redfish/v1/Systems/1"] |= {"PowerState": "Off", "Status": {"Health": "Critical"}}
        module = scriptlet("redfish.inventory")
        outcome = rack_context.run(module.RedfishInventory, args(found, expected={"memory_gib": 512}))
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "the health of the system is Critical: look at its sensors, power supplies and event log; "
            "the system is Off, expected On: switch it on; "
            "memory_gib is 384, expected 512: exchange the part, or correct the plan"
        )

    def test_a_health_that_is_not_told_is_an_error(self, scriptlet, device, rack_context):
        found = device("hpe-ilo5")
        del found.resources["/redfish/v1/Systems/1"]["Status"]
        outcome = rack_context.run(scriptlet("redfish.inventory").RedfishInventory, args(found))
        assert (outcome.verdict, "does not tell the health" in outcome.reason) == ("error", True)

    def test_a_field_that_there_is_not(self, scriptlet, device, rack_context):
        module = scriptlet("redfish.inventory")
        outcome = rack_context.run(module.RedfishInventory, args(device("hpe-ilo5"), expected={"colour": "red"}))
        assert outcome.verdict == "error"
        assert "expected: 'colour' is none of manufacturer, model" in outcome.reason


class TestFirmware:
    @table("vendor", "golden")
    def test_a_golden_list_that_holds(self, scriptlet, device, rack_context, vendor, golden):
        outcome = rack_context.run(scriptlet("redfish.firmware").RedfishFirmware, args(device(vendor), golden=golden))
        assert outcome.verdict == "passed", outcome.reason
        assert len(rack_context["redfish.firmware_v1"]) == 1  # without Dell's former version

    def test_an_old_version_and_a_missing_part(self, scriptlet, device, rack_context):
        golden = {"ilo 5": "3.01", "BIOS": "1.0"}
        module = scriptlet("redfish.firmware")
        outcome = rack_context.run(module.RedfishFirmware, args(device("hpe-ilo5"), golden=golden))
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "iLO 5 has 2.55 Oct 01 2021, expected 3.01: update it; "
            "no firmware is called BIOS: is the part plugged in, and the golden list right?"
        )

    @pytest.mark.parametrize("asked", ["failed", "skipped"])
    def test_a_device_without_an_inventory(self, scriptlet, device, rack_context, asked):
        module = scriptlet("redfish.firmware")
        outcome = rack_context.run(module.RedfishFirmware, args(device("hpe-ilo4"), missing=asked))
        assert outcome.verdict == asked
        assert "no firmware inventory: " in outcome.reason
        assert outcome.reason.endswith("has no UpdateService at ?: update the BMC, or restart it")

    def test_an_empty_inventory(self, scriptlet, device, rack_context):
        found = device("hpe-ilo5", **{"/redfish/v1/UpdateService/FirmwareInventory": {"Members": []}})
        outcome = rack_context.run(scriptlet("redfish.firmware").RedfishFirmware, args(found))
        assert (outcome.verdict, "lists no firmware" in outcome.reason) == ("failed", True)


class TestSensors:
    @table("vendor", "name", "reading", "unit", "count")
    def test_healthy_sensors(self, scriptlet, device, rack_context, vendor, name, reading, unit, count):
        outcome = rack_context.run(scriptlet("redfish.sensors").RedfishSensors, args(device(vendor)))
        assert outcome.verdict == "passed", outcome.reason
        found = rack_context["redfish.sensors_v1"]
        assert (found[name]["reading"], found[name]["unit"]) == (reading, unit)
        assert len(found) == count, [*found]

    def test_what_is_beyond_the_devices_own_limits(self, scriptlet, device, rack_context):
        found = device("hpe-ilo5")
        thermal = found.resources[f"{CHASSIS}/Thermal"]
        thermal["Temperatures"][0] |= {"ReadingCelsius": 43}
        thermal["Fans"][1] |= {"Status": {"State": "Enabled", "Health": "Critical"}}
        outcome = rack_context.run(scriptlet("redfish.sensors").RedfishSensors, args(found))
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "01-Inlet Ambient reads 43 Cel (OK), its upper limit is 42: check the cooling of the rack and this "
            "server's fans; Fan 2 reads 23 Percent (Critical): read the event log of this BMC"
        )

    def test_a_fan_that_stands_still(self, scriptlet, device, rack_context):
        found = device("dell-idrac9")
        found.resources[f"{DELL}/Thermal"]["Fans"][0] |= {"Reading": 0}
        outcome = rack_context.run(scriptlet("redfish.sensors").RedfishSensors, args(found))
        assert outcome.verdict == "failed"
        assert "System Board Fan1A reads 0 RPM (OK), its lower limit is 600: replace what it watches" in outcome.reason

    def test_the_newer_sensors(self, scriptlet, device, rack_context):
        limits = {"UpperCritical": {"Reading": 90}, "UpperCaution": {"Reading": 80}}
        sensor = {"Id": "cpu", "Name": "CPU", "Reading": 85, "ReadingUnits": "Cel", "Status": {"Health": "OK"}}
        absent = {"Id": "b", "Name": "B", "Status": {"State": "Absent"}}
        found = device("hpe-ilo5", **{"/n": {"Members": [{**sensor, "Thresholds": limits}, absent]}})
        found.resources[CHASSIS]["Sensors"] = {"@odata.id": "/n"}
        outcome = rack_context.run(scriptlet("redfish.sensors").RedfishSensors, args(found))
        assert (outcome.verdict, [*rack_context["redfish.sensors_v1"]]) == ("marginal", ["CPU"])

    def test_what_tells_nothing_is_an_error(self, scriptlet, device, rack_context):
        found = device("hpe-ilo5")
        found.resources[f"{CHASSIS}/Thermal"]["Fans"][0] = {"Name": "Fan 1", "Reading": None}
        outcome = rack_context.run(scriptlet("redfish.sensors").RedfishSensors, args(found))
        assert outcome.verdict == "error"
        assert "these sensors tell neither a reading nor their health: Fan 1" in outcome.reason
        module = scriptlet("redfish.sensors")
        assert rack_context.run(module.RedfishSensors, args(found, ignore=["Fan *"])).verdict == "passed"

    @pytest.mark.parametrize("asked", ["failed", "skipped"])
    def test_a_device_without_sensors(self, scriptlet, device, rack_context, asked):
        module = scriptlet("redfish.sensors")
        outcome = rack_context.run(module.RedfishSensors, args(device("power-subsystem"), missing=asked))
        assert (outcome.verdict, outcome.reason) == (asked, "no such hardware: the BMC has no sensors")


class TestPowerSupplies:
    def test_healthy_ones(self, scriptlet, device, rack_context):
        module = scriptlet("redfish.power_supplies")
        outcome = rack_context.run(module.RedfishPowerSupplies, args(device("hpe-ilo5"), count=2))
        assert outcome.verdict == "passed", outcome.reason
        found = rack_context["redfish.power_supplies_v1"]
        assert [*found] == ["HpeServerPowerSupply 0", "HpeServerPowerSupply 1"]
        assert found["HpeServerPowerSupply 1"]["output_watts"] == 90
        outcome = rack_context.run(module.RedfishPowerSupplies, args(device("dell-idrac9")))
        assert outcome.verdict == "passed", outcome.reason
        assert rack_context["redfish.power_supplies_v1"]["PS1 Status"]["model"] == "PWR SPLY,750W,RDNT,ARTESYN"

    def test_one_without_input_and_one_that_is_pulled(self, scriptlet, device, rack_context):
        found = device("hpe-ilo5")
        first, second = found.resources[f"{CHASSIS}/Power"]["PowerSupplies"]
        first |= {"LineInputVoltage": 0, "Status": {"State": "Enabled", "Health": "Critical"}}
        second |= {"Status": {"State": "Absent"}}
        outcome = rack_context.run(scriptlet("redfish.power_supplies").RedfishPowerSupplies, args(found, count=2))
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "HpeServerPowerSupply has no input voltage: check its cable and the outlet of the PDU, then replace it; "
            "1 power supplies are plugged in, expected 2: plug in what is missing"
        )

    def test_the_newer_power_subsystem(self, scriptlet, device, rack_context):
        module = scriptlet("redfish.power_supplies")
        outcome = rack_context.run(module.RedfishPowerSupplies, args(device("power-subsystem")))
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "Power Supply Bay 1 is Warning: plug it in again, and replace it if that does not help"
        )

    def test_a_health_that_is_not_told_is_an_error(self, scriptlet, device, rack_context):
        found = device("hpe-ilo5")
        found.resources[f"{CHASSIS}/Power"]["PowerSupplies"][0] |= {"Status": {"State": "Enabled"}}
        outcome = rack_context.run(scriptlet("redfish.power_supplies").RedfishPowerSupplies, args(found))
        assert (outcome.verdict, "does not tell the health of" in outcome.reason) == ("error", True)

    @pytest.mark.parametrize("asked", ["failed", "skipped"])
    def test_a_device_without_any(self, scriptlet, device, rack_context, asked):
        module = scriptlet("redfish.power_supplies")
        outcome = rack_context.run(module.RedfishPowerSupplies, args(device("hpe-ilo4"), missing=asked))
        assert (outcome.verdict, outcome.reason) == (asked, "no such hardware: no power supplies are listed")


class TestEventLog:
    ENTRIES = "/redfish/v1/Systems/1/LogServices/IML/Entries"

    def test_what_has_come_since_the_mark(self, scriptlet, device, rack_context):
        found, module = device("hpe-ilo5"), scriptlet("redfish.event_log")
        assert rack_context.run(module.RedfishLogMark, args(found)).verdict == "passed"
        assert rack_context.run(module.RedfishEventLog, args(found)).verdict == "passed"
        assert rack_context["redfish.event_log_v1"] == []
        old = found.resources[f"{self.ENTRIES}/1"]
        new = {"Id": "2", "Created": old["Created"], "Severity": "Critical", "Message": "System Overheating"}
        found.resources[self.ENTRIES]["Members"] += [new, {**new, "Id": "3", "Severity": "OK"}]
        outcome = rack_context.run(module.RedfishEventLog, args(found))
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "1 new entries in the event log, look at what they name: Critical: System Overheating"
        )
        assert [each["id"] for each in rack_context["redfish.event_log_v1"]] == ["2", "3"]

    def test_a_log_that_is_new_counts_whole(self, scriptlet):
        module = scriptlet("redfish.event_log")
        assert module.since([{"id": "1"}], None) == [{"id": "1"}]
        assert module.newest([]) == {"created": "", "ids": []}

    def test_without_a_mark_it_is_an_error(self, scriptlet, device, rack_context):
        module = scriptlet("redfish.event_log")
        outcome = rack_context.run(module.RedfishEventLog, args(device("hpe-ilo5")))
        assert (outcome.verdict, "there is no mark: put a step" in outcome.reason) == ("error", True)

    def test_a_severity_that_there_is_not(self, scriptlet, device, rack_context):
        module = scriptlet("redfish.event_log")
        outcome = rack_context.run(module.RedfishEventLog, args(device("hpe-ilo5"), severities=["Bad"]))
        assert outcome.verdict == "error"
        assert "severities: expected OK, Warning, Critical, got 'Bad'" in outcome.reason

    @pytest.mark.parametrize("asked", ["failed", "skipped"])
    def test_a_device_without_a_log(self, scriptlet, device, rack_context, asked):
        module = scriptlet("redfish.event_log")
        outcome = rack_context.run(module.RedfishLogMark, args(device("dell-idrac9"), missing=asked))
        assert (outcome.verdict, outcome.reason) == (asked, "no such hardware: the BMC keeps no event log")


class Host:
    """Something at a port that says a few words, as long as it is on."""

    def __init__(self) -> None:
        self.socket: socket.socket | None = None
        self.port = 0
        self.on()

    def on(self) -> None:
        self.socket = socket.create_server(("127.0.0.1", self.port), reuse_port=True)
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, args=(self.socket,), daemon=True).start()

    def off(self) -> None:
        if self.socket:
            self.socket.shutdown(socket.SHUT_RDWR)
            self.socket.close()
            self.socket = None

    @staticmethod
    def _serve(listening: socket.socket) -> None:
        try:
            while True:
                connection = listening.accept()[0]
                connection.sendall(b"SSH-2.0-test\r\n")
                connection.close()
        except OSError:
            pass


@pytest.fixture
def host() -> Iterator[Host]:
    found = Host()
    yield found
    found.off()


class TestPowerCycle:
    SYSTEM = "/redfish/v1/Systems/1"
    TARGET = f"{SYSTEM}/Actions/ComputerSystem.Reset/"

    @pytest.fixture
    def server(self, device: Callable[..., Device], host: Host) -> Device:
        """A device that really ends and starts the host."""
        found = device("hpe-ilo5")
        system = found.resources[self.SYSTEM]

        def switch(kind: str) -> None:
            if kind in ("ForceOff", "PowerCycle"):
                host.off()
                system["PowerState"] = "Off"
            if kind == "On":
                host.on()
                system["PowerState"] = "On"

        found.on_order = switch
        return found

    def asked(self, server: Device, host: Host, **more: Any) -> dict[str, Any]:
        known = {"max_off_seconds": 1, "max_seconds": 1, "unidentified": "switched"}
        return args(server, host="127.0.0.1", port=host.port, **{**known, **more})

    @pytest.mark.parametrize(
        ("told", "reason"),
        [
            ({}, "nothing was switched, since it is not known whose BMC this is: it tells of a server (serial MXQ"),
            ({"uuid": "6f" * 16, "host_name": "a7"}, "this is the BMC of another server: of "),
            ({"serial": "VR-7", "host_name": "a7"}, "this is the BMC of another server: of "),
        ],
    )
    def test_the_wrong_server_is_not_switched(self, scriptlet, server, host, rack_context, told, reason):
        server.resources[self.SYSTEM] |= {"SerialNumber": "MXQ1", "UUID": "5194e74e-9b81-5b36-94a9-5a6e85d2a42e"}
        server.resources[self.SYSTEM].pop("HostName", None)
        rack_context.set("host.identity_v1", told)
        asked = self.asked(server, host, unidentified="failed")
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, asked)
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(reason)
        assert not server.orders
        assert "MXQ1" in outcome.reason
        assert told.get("host_name", "the host") in outcome.reason

    @pytest.mark.parametrize(
        "told",
        [
            {"uuid": "4ee79451-819b-365b-94a9-5a6e85d2a42e", "serial": "another part"},  # SMBIOS has another order
            {"serial": "svc1234 "},
        ],
    )
    def test_the_right_server_is_switched(self, scriptlet, server, host, rack_context, told):
        more = {"UUID": "5194e74e-9b81-5b36-94a9-5a6e85d2a42e", "SerialNumber": "CN0BOARD", "SKU": "SVC1234"}
        server.resources[self.SYSTEM] |= more
        rack_context.set("host.identity_v1", told)
        asked = self.asked(server, host, unidentified="failed")
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, asked)
        assert outcome.verdict == "passed", outcome.reason

    @pytest.mark.parametrize(
        ("told", "verdict"),
        [
            ({"serial": "MXQ1"}, "passed"),
            ({"serial": "MXQ2"}, "failed"),
            ({"serial": "To Be Filled By O.E.M."}, "skipped"),
        ],
    )
    def test_a_bmc_tells_whose_it_is(self, scriptlet, server, rack_context, told, verdict):
        server.resources[self.SYSTEM]["SerialNumber"] = "MXQ1"
        rack_context.set("host.identity_v1", {"host_name": "a7", **told})
        outcome = rack_context.run(scriptlet("redfish.identity").RedfishIdentity, args(server))
        assert outcome.verdict == verdict
        assert rack_context["redfish.identity_v1"]["serial"] == "MXQ1"

    def test_off_and_on_with_the_return_timed(self, scriptlet, server, host, rack_context):
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, self.asked(server, host))
        assert outcome.verdict == "passed", outcome.reason
        found = rack_context["redfish.power_cycle_v1"]
        assert found["orders"] == ["ForceOff", "On"]
        assert 0 <= found["away_after_seconds"] <= found["back_after_seconds"] <= 1
        assert server.orders == [(self.TARGET, {"ResetType": kind}) for kind in ("ForceOff", "On")]

    def test_one_order_where_the_device_has_it(self, scriptlet, server, host, rack_context):
        action = server.resources[self.SYSTEM]["Actions"]["#ComputerSystem.Reset"]
        action["ResetType@Redfish.AllowableValues"] = ["PowerCycle"]
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, self.asked(server, host))
        assert outcome.verdict == "failed"
        assert outcome.reason == "127.0.0.1 is not back 1 s after the order: look at its console"
        assert server.orders == [(self.TARGET, {"ResetType": "PowerCycle"})]

    def test_a_bmc_that_is_busy_is_told_again_to_turn_the_system_on(self, scriptlet, server, host, rack_context):
        switch = server.on_order

        def then_busy(kind: str) -> None:
            switch(kind)
            server.busy = 2 if kind == "ForceOff" else 0

        server.on_order = then_busy
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, self.asked(server, host))
        assert outcome.verdict == "passed", outcome.reason
        assert rack_context["redfish.power_cycle_v1"]["orders"] == ["ForceOff", "On"]

    @pytest.mark.parametrize(("late", "verdict"), [(0.3, "passed"), (5, "failed")])
    def test_a_bmc_that_tells_the_old_state_for_a_while(self, scriptlet, server, host, rack_context, late, verdict):
        switch, system = server.on_order, server.resources[self.SYSTEM]
        timer = threading.Timer(late, lambda: system.update(PowerState="On"))

        def then_late(kind: str) -> None:
            switch(kind)
            if kind == "On":
                system["PowerState"] = "Off"
                timer.start()

        server.on_order = then_late
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, self.asked(server, host))
        timer.cancel()
        assert outcome.verdict == verdict, outcome.reason

    def test_a_host_that_answers_all_the_time_is_another_ones(self, scriptlet, server, host, rack_context):
        server.on_order = lambda _kind: None
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, self.asked(server, host))
        assert outcome.verdict == "failed"
        assert outcome.reason == "127.0.0.1 answers all the time: is this the BMC of another server?"
        assert [body["ResetType"] for _path, body in server.orders] == ["ForceOff", "On"]  # it is on in any case

    def test_a_bmc_that_does_not_see_that_it_is_off(self, scriptlet, server, host, rack_context):
        server.on_order = lambda kind: host.off() if kind == "ForceOff" else host.on()
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, self.asked(server, host))
        assert outcome.verdict == "failed"
        assert outcome.reason == "the BMC does not tell that the system is off within 1 s: it is On"

    def test_what_cannot_be_tried(self, scriptlet, server, host, rack_context):
        module = scriptlet("redfish.power_cycle")
        system = server.resources[self.SYSTEM]
        outcome = rack_context.run(module.RedfishPowerCycle, self.asked(server, host, banner="FTP"))
        assert outcome.reason == f"127.0.0.1 does not answer at port {host.port} before the power cycle"
        system["Actions"] = {}
        outcome = rack_context.run(module.RedfishPowerCycle, self.asked(server, host))
        assert "cannot switch the power of this system" in outcome.reason
        system["PowerState"] = "Off"
        outcome = rack_context.run(module.RedfishPowerCycle, self.asked(server, host))
        assert outcome.reason == "the system is Off before the power cycle: turn it on first"
        assert not server.orders

    def test_an_order_that_is_not_offered_is_an_error(self, scriptlet, server, host, rack_context):
        action = server.resources[self.SYSTEM]["Actions"]["#ComputerSystem.Reset"]
        del action["ResetType@Redfish.AllowableValues"]
        action["@Redfish.ActionInfo"] = "/i"
        server.resources["/i"] = {"Parameters": [{"Name": "ResetType", "AllowableValues": ["Nmi"]}]}
        outcome = rack_context.run(scriptlet("redfish.power_cycle").RedfishPowerCycle, self.asked(server, host))
        assert outcome.verdict == "error"
        assert "the BMC does not offer ForceOff, but Nmi" in outcome.reason
