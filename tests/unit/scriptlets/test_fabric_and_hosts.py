# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for cabling, fabric and hosts, on what their tools printed in a virtual rack (`captured/`)."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table
from ansible_collections.rack.recipes.tests.unit.scriptlets.conftest import captured


class TestTools:
    def test_a_program_that_is_missing(self, scriptlet):
        with pytest.raises(ValueError, match="no-such-tool is not installed on this host"):
            scriptlet("tools.commands").run(("no-such-tool",))

    def test_a_program_that_fails(self, scriptlet):
        with pytest.raises(ValueError, match=r"sh -c echo.* ended with exit code 3: no such thing"):
            scriptlet("tools.commands").run(("sh", "-c", "echo no such thing >&2; exit 3"))

    def test_a_program_that_does_not_end(self, scriptlet):
        with pytest.raises(ValueError, match=r"sleep 60 did not end within 0.1 s"):
            scriptlet("tools.commands").run(("sleep", "60"), seconds=0.1)

    def test_what_is_no_json(self, scriptlet):
        with pytest.raises(ValueError, match=r"printed no JSON: '\{oops"):
            scriptlet("tools.commands").run_json(("echo", "{oops"))
        assert scriptlet("tools.commands").run_json(("true",)) is None
        assert scriptlet("tools.commands").run(("echo", "a"), seconds=99_999_999) == "a\n"


class TestNeighbours:
    PLAN = {"swp1": "spine1:swp1", "swp2": "spine2:swp1", "swp3": "server1:eth1", "swp4": "server2:eth1"}

    @pytest.mark.parametrize("file", ["lldpcli-1.0.18.json", "lldpcli-1.0.16.json"])
    def test_every_version_of_lldpd(self, scriptlet, file):
        found = scriptlet("cabling.neighbours").neighbours(json.loads(captured(file)))
        assert (found["swp1"], found["swp3"]) == (["spine1:swp1"], ["server1:eth1"])

    def test_cables_as_planned(self, scriptlet, prints, rack_context):
        module = scriptlet("cabling.neighbours")
        prints(module, {"lldpcli": captured("lldpcli-1.0.18.json")})
        outcome = rack_context.run(module.LldpNeighbours, {"expected": self.PLAN})
        assert (outcome.verdict, set(rack_context.checked.values())) == ("passed", {"passed"})
        assert rack_context["lldp.neighbours_v1"]["swp3"] == {
            "peer": "server1", "peer_port": "eth1", "expected_peer": "server1", "expected_port": "eth1",
        }  # fmt: skip

    def test_each_wrong_port_is_named_with_both_names(self, scriptlet, prints, rack_context):
        module = scriptlet("cabling.neighbours")
        prints(module, {"lldpcli": captured("lldpcli-1.0.18.json")})
        swapped = {**self.PLAN, "swp3": "server2:eth1", "swp4": "server1:eth1"}
        outcome = rack_context.run(module.LldpNeighbours, {"expected": swapped, "wait": 0})
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "swp3: expected server2:eth1, found server1:eth1; swp4: expected server1:eth1, found server2:eth1; "
            "swp3 and swp4 are swapped: exchange the plugs in these two ports"
        )

    def test_the_domain_of_a_neighbour_may_be_missing_in_the_plan(self, scriptlet):
        module = scriptlet("cabling.neighbours")
        told = {"e1": ["leaf1.dc.example:et-0/0/0.0"], "e2": ["leaf2.dc.example:swp1"], "e3": ["x:eth1.2"]}
        plan = {"e1": "leaf1:et-0/0/0.0", "e2": "leaf2.dc.example:swp1", "e3": "x:eth1.2"}
        assert module.as_planned(told, plan) == {port: [end] for port, end in plan.items()}

    def test_a_port_with_an_old_and_a_new_neighbour_is_looked_at_again(self, scriptlet, monkeypatch):
        module = scriptlet("cabling.neighbours")
        one = json.loads(captured("lldpcli-1.0.18.json"))
        two = json.loads(captured("lldpcli-1.0.18.json").replace('"name": "swp2"', '"name": "swp1"'))
        answers = [two, two, one]
        monkeypatch.setattr(module, "run_json", lambda _argv: answers.pop(0))
        monkeypatch.setattr(module, "PAUSE", 0)
        assert module.settled({"swp1": "spine1:swp1"}, 60)["swp1"] == ["spine1:swp1"]
        assert answers == []

    def test_a_port_without_a_neighbour(self, scriptlet, prints, rack_context):
        module = scriptlet("cabling.neighbours")
        prints(module, {"lldpcli": '{"lldp": [{}]}'})
        outcome = rack_context.run(module.LldpNeighbours, {"expected": {"swp1": "spine1:swp1"}, "wait": 0})
        assert outcome.reason == "swp1: expected spine1:swp1, found no neighbour"


@pytest.fixture
def port(tmp_path: Path) -> Callable[..., str]:
    """A function that writes a port as the kernel shows it; returns the root."""

    def write(name: str = "swp1", state: str = "up", mtu: int = 9000, errors: int = 0, downs: int = 1) -> str:
        texts = {"operstate": state, "mtu": mtu, "carrier_down_count": downs, "statistics/rx_errors": errors}
        for path, text in texts.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{text}\n")
        return str(tmp_path)

    return write


class TestPorts:
    def run(self, scriptlet, rack_context, root: str, **params: Any) -> Any:
        given = {"ports": ["swp1"], "mtu": 9000, "seconds": 0, "root": root, **params}
        return rack_context.run(scriptlet("link.ports").LinkPorts, given)

    def test_a_good_port(self, scriptlet, rack_context, port):
        assert self.run(scriptlet, rack_context, port()).verdict == "passed"
        assert rack_context.measured["downs.swp1"] == 1

    def test_everything_that_is_wrong_is_said(self, scriptlet, rack_context, port):
        outcome = self.run(scriptlet, rack_context, port(state="down", mtu=1500, downs=3), max_flaps=1)
        assert outcome.reason == (
            "swp1 is down; swp1 takes frames of 1500 bytes, expected 9000; swp1 has lost its carrier 3 times"
        )

    def test_only_new_errors_count(self, scriptlet):
        module = scriptlet("link.ports")
        before = {
            "state": "up",
            "mtu": 1,
            "downs": 0,
            "boot": "b1",
            **dict.fromkeys((*module.ERRORS, *module.FRAMES), 5),
        }
        after = {**before, "rx_errors": 8, "tx_errors": None}
        assert module.compared(before, after)["errors"] == 3
        assert module.compared(before, after)["counters"] == {"rx_errors": 3}

    def test_a_port_that_is_not_there(self, scriptlet, rack_context, port):
        assert self.run(scriptlet, rack_context, port(), ports=["swp1", "swp9"]).reason == "there is no port swp9"


class TestBgp:
    def run(self, scriptlet, prints, rack_context, text: str, *ports: str) -> Any:
        module = scriptlet("fabric.sessions")
        prints(module, {"vtysh": text})
        return rack_context.run(module.BgpSessions, {"ports": list(ports)})

    @pytest.mark.parametrize("version", ["10.3", "8.4"])
    def test_established_sessions(self, scriptlet, prints, rack_context, version):
        told = captured(f"frr-{version}-bgp-neighbors.json")
        assert self.run(scriptlet, prints, rack_context, told, "swp1", "swp2").verdict == "passed"
        assert rack_context.measured["prefixes.swp1"] > 0

    @table("fields", "says")
    def test_what_is_wrong_with_a_session(self, scriptlet, prints, rack_context, fields, says):
        told = json.loads(captured("frr-10.3-bgp-neighbors.json"))
        told["swp1"] |= fields
        outcome = self.run(scriptlet, prints, rack_context, json.dumps(told), "swp1")
        assert outcome.reason.startswith(f"swp1: {says}")

    def test_the_side_that_expects_the_wrong_system_in_an_older_version(self, scriptlet, prints, rack_context):
        told = captured("frr-8.4-bgp-bad-as.json")
        outcome = self.run(scriptlet, prints, rack_context, told, "swp1", "swp2")
        assert outcome.reason == ("swp1: this router expects AS 65099, which the peer is not: correct remote-as here")

    def test_a_session_that_is_not_configured(self, scriptlet, prints, rack_context):
        assert self.run(scriptlet, prints, rack_context, "{}", "swp1").reason == "no session is configured at swp1"

    def test_ends_that_hold_for_different_times(self, scriptlet, prints, rack_context):
        told = json.loads(captured("frr-10.3-bgp-neighbors.json"))
        told["swp1"]["bgpTimerConfiguredHoldTimeMsecs"] = 180000
        outcome = self.run(scriptlet, prints, rack_context, json.dumps(told), "swp1", "swp2")
        assert (outcome.verdict, rack_context.checked["hold.swp1"]) == ("marginal", "marginal")
        assert rack_context.checked["hold.swp2"] == "passed"


class TestForwarding:
    SETTINGS = {
        "all/rp_filter": 0, "swp1/forwarding": 1, "swp1/rp_filter": 0, "swp2/forwarding": 1, "swp2/rp_filter": 2,
    }  # fmt: skip
    QUEUES = [
        {"kind": "noqueue", "dev": "swp1", "root": True, "options": {}},
        {"kind": "tbf", "dev": "swp2", "root": True, "options": {"rate": 1250000, "lat": 50000}},
    ]
    ADDRESSES = [{"ifname": "lo", "addr_info": [{"family": "inet", "local": "10.0.255.22", "prefixlen": 32}]}]

    def run(self, scriptlet, prints, rack_context, folder, *, queues=(), addresses=ADDRESSES, **settings):
        for name, value in {**self.SETTINGS, **{key.replace("__", "/"): own for key, own in settings.items()}}.items():
            file = folder / "proc/sys/net/ipv4/conf" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{value}\n")
        module = scriptlet("fabric.forwarding")
        prints(module, {"qdisc": json.dumps([*self.QUEUES, *queues]), "address": json.dumps(addresses)})
        params = {"ports": ["swp1", "swp2"], "loopback": "10.0.255.22", "root": str(folder)}
        return rack_context.run(module.Forwarding, params)

    def test_a_healthy_router(self, scriptlet, prints, rack_context, tmp_path):
        assert self.run(scriptlet, prints, rack_context, tmp_path).verdict == "passed"
        assert rack_context["fabric.forwarding_v1"]["swp1"] == {"forwards": True, "strict": False, "queue": None}

    @pytest.mark.parametrize(
        ("more", "reason"),
        [
            ({"swp2__forwarding": 0}, "swp2 does not forward: set net.ipv4.ip_forward, and net.ipv4.conf.swp2.forw"),
            ({"queues": [{"kind": "pfifo", "dev": "swp1", "options": {"limit": 1}}]}, "the queue of swp1 takes 1 pack"),
            ({"addresses": []}, "the router does not have its address 10.0.255.22: put it back"),
        ],
        ids=["forwarding", "queue", "address"],
    )
    def test_what_loses_packets(self, scriptlet, prints, rack_context, tmp_path, more, reason):
        outcome = self.run(scriptlet, prints, rack_context, tmp_path, **more)
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(reason)

    @pytest.mark.parametrize("setting", ["swp1__rp_filter", "all__rp_filter"])
    def test_a_strict_filter_is_marginal(self, scriptlet, prints, rack_context, tmp_path, setting):
        assert self.run(scriptlet, prints, rack_context, tmp_path, **{setting: 1}).verdict == "marginal"
        assert rack_context.checked["strict.swp1"] == "marginal"
        assert rack_context.checked["strict.swp2"] == "passed"  # its own filter is loose, and that counts more

    def test_a_port_that_is_not_there(self, scriptlet, prints, rack_context, tmp_path):
        (tmp_path / "proc/sys/net/ipv4/conf/swp2").mkdir(parents=True)
        self.SETTINGS = {name: value for name, value in self.SETTINGS.items() if "swp2" not in name}
        outcome = self.run(scriptlet, prints, rack_context, tmp_path)
        assert outcome.verdict == "error"


class TestRoutes:
    def run(self, scriptlet, prints, rack_context, text: str, **params: Any) -> Any:
        module = scriptlet("fabric.routes")
        prints(module, {"vtysh": text})
        return rack_context.run(module.FabricRoutes, params)

    @pytest.mark.parametrize(("version", "prefix"), [("10.3", "10.1.4.0/24"), ("8.4", "10.1.2.0/24")])
    def test_all_paths(self, scriptlet, prints, rack_context, version, prefix):
        told = captured(f"frr-{version}-routes.json")
        outcome = self.run(scriptlet, prints, rack_context, told, prefixes=[prefix], paths=2)
        assert outcome.verdict == "passed"
        assert rack_context["fabric.routes_v1"] == [{"prefix": prefix, "through": ["swp1", "swp2"]}]

    def test_a_path_that_the_kernel_does_not_use_does_not_count(self, scriptlet, prints, rack_context):
        told = json.loads(captured("frr-10.3-routes.json"))
        told["10.1.4.0/24"][0]["nexthops"][0].pop("fib")
        outcome = self.run(scriptlet, prints, rack_context, json.dumps(told), prefixes=["10.1.4.0/24"], paths=2)
        assert outcome.reason.startswith("10.1.4.0/24 is reached over 1 of 2 paths (swp")

    def test_a_missing_route(self, scriptlet, prints, rack_context):
        assert self.run(scriptlet, prints, rack_context, "{}", prefixes=["10.9.0.0/24"]).reason == (
            "10.9.0.0/24 is not reached"
        )

    def test_a_route_that_drops_is_no_path(self, scriptlet, prints, rack_context):
        """Taken from FRR 10.3 after `ip route add blackhole`; the route of BGP behind it is not installed."""
        hop = {"flags": 3, "fib": True, "unreachable": True, "blackhole": True, "active": True, "weight": 1}
        told = {"10.1.3.0/24": [{"protocol": "kernel", "installed": True, "nexthops": [hop]}]}
        outcome = self.run(scriptlet, prints, rack_context, json.dumps(told), prefixes=["10.1.3.0/24"])
        assert outcome.reason == (
            "10.1.3.0/24 is dropped by a route of this router: look at `ip route show 10.1.3.0/24`"
        )
        assert rack_context["fabric.routes_v1"] == [{"prefix": "10.1.3.0/24", "through": []}]


class TestReach:
    def run(self, scriptlet, prints, rack_context, answers: dict[str, str]) -> Any:
        module = scriptlet("fabric.reach")
        prints(scriptlet("tools.pings"), answers)
        return rack_context.run(module.Reach, {"targets": ["10.1.1.12"], "mtu": 9000})

    def test_pings_that_come_back(self, scriptlet, prints, rack_context):
        assert self.run(scriptlet, prints, rack_context, {"ping": captured("ping-healthy.txt")}).verdict == "passed"
        assert rack_context.measured["time.10.1.1.12"] > 0

    def test_loss(self, scriptlet, prints, rack_context):
        lost = "20 packets transmitted, 19 received, 5% packet loss, time 190ms\n"
        assert self.run(scriptlet, prints, rack_context, {"ping": lost}).reason == "10.1.1.12: 5 % lost"

    def test_long_frames_alone(self, scriptlet, prints, rack_context):
        answers = {
            "-s 8972": "20 packets transmitted, 0 received, 100% packet loss",
            "ping": captured("ping-healthy.txt"),
        }
        assert self.run(scriptlet, prints, rack_context, answers).reason == (
            "10.1.1.12: short frames arrive, of long ones 100 % are lost: compare MTUs"
        )

    def test_what_says_nothing_is_an_error_and_never_a_pass(self, scriptlet, prints, rack_context):
        assert (
            self.run(scriptlet, prints, rack_context, {"ping": "ping: socket: Operation not permitted"}).verdict
            == "error"
        )


class TestPings:
    def test_an_older_version_gets_words_that_it_knows(self, scriptlet, monkeypatch):
        module, asked = scriptlet("tools.pings"), []

        def run(argv, exit_codes):
            asked.append(argv)
            if "probe" in argv:
                raise ValueError("ping -M probe ended with exit code 1: ping: invalid -M argument: probe")
            return "0% packet loss"

        monkeypatch.setattr(module, "run", run)
        assert module.ping(("-c", "1", "192.0.2.1")) == "0% packet loss"
        assert asked[1] == ("ping", "-M", "do", "-c", "1", "192.0.2.1")

    @pytest.mark.parametrize(("losses", "loss"), [([0.0], 0.0), ([5.0, 0.0], 0.0), ([5.0, 7.0], 5.0), ([100.0], 100.0)])
    def test_some_loss_is_looked_at_again(self, scriptlet, losses, loss):
        left = iter(losses)
        assert scriptlet("tools.pings").better_of_two(lambda: {"loss": next(left)}) == {"loss": loss}
        assert not [*left]

    def test_another_problem_stays_one(self, scriptlet, monkeypatch):
        module = scriptlet("tools.pings")
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(scriptlet("tools.commands"), "PATHS", ())
        with pytest.raises(ValueError, match="ping is not installed"):
            module.ping(("192.0.2.1",))


class TestCables:
    @pytest.mark.parametrize("version", ["6.15", "6.1"])
    def test_the_router_at_the_other_end(self, scriptlet, version):
        told = json.loads(captured(f"iproute2-{version}-neigh.json"))
        assert scriptlet("fabric.cables").neighbour(told).startswith("fe80::")

    def run(self, scriptlet, prints, rack_context, **answers: str) -> Any:
        module = scriptlet("fabric.cables")
        prints(module, {"neigh": answers["neigh"]})
        prints(scriptlet("tools.pings"), {"-s 8952": answers["long"], "ping": answers["short"]})
        return rack_context.run(module.CableLoss, {"ports": ["swp1"], "mtu": 9000})

    @table("short", "long", "time", "says")
    def test_loss_and_time_on_a_cable(self, scriptlet, prints, rack_context, short, long, time, says):
        outcome = self.run(
            scriptlet, prints, rack_context, neigh=captured("iproute2-6.15-neigh.json"),
            short=f"{short}% packet loss", long=f"time={time} ms\n{long}% packet loss",
        )  # fmt: skip
        assert outcome.reason == says

    def test_without_a_neighbour(self, scriptlet, prints, rack_context):
        outcome = self.run(scriptlet, prints, rack_context, neigh="[]", short="", long="")
        assert (outcome.verdict, outcome.reason) == ("failed", "swp1: no router is known at the other end")


class TestOwnAddress:
    @table("file", "verdict")
    def test_who_else_has_the_address(self, scriptlet, prints, rack_context, file, verdict):
        module = scriptlet("fabric.own_address")
        prints(module, {"arping": captured(file)})
        outcome = rack_context.run(module.OwnAddress, {"address": "10.1.1.1", "port": "eth1"})
        assert outcome.verdict == verdict
        assert verdict == "passed" or "10.1.1.1 is also that of 9E:89:50:B7:83:D7" in outcome.reason

    @pytest.mark.parametrize(
        ("more", "own", "reason"),
        [
            ("", "10.1.1.11", ""),
            (
                "Unicast reply from 10.1.1.1 [8E:3E:D1:6A:4F:6E]  7.276ms\n", "10.1.1.11",
                "8E:3E:D1:6A:4F:6E and 9A:94:A6:E5:69:C3 have the address of the gateway 10.1.1.1: give one of them",
            ),
            ("", "10.1.1.1", "this host has the address of its gateway 10.1.1.1 itself: take it away"),
        ],
    )  # fmt: skip
    def test_who_has_the_address_of_the_gateway(self, scriptlet, prints, rack_context, more, own, reason):
        module = scriptlet("fabric.own_address")
        routes = [{"dst": "10.0.0.0/8", "gateway": "10.1.1.1"}, {"dst": "10.1.1.0/24", "protocol": "kernel"}]
        prints(module, {
            "arping -D": captured("arping-healthy.txt"), "route": json.dumps(routes),
            "arping -b": f"Unicast reply from 10.1.1.1 [9A:94:A6:E5:69:C3]  0.568ms\n{more}",
            "address": json.dumps([{"addr_info": [{"local": own}]}]),
        })  # fmt: skip
        params = {"address": "10.1.1.11", "port": "eth1", "gateways": True}
        outcome = rack_context.run(module.OwnAddress, params)
        assert (outcome.verdict, outcome.reason[: len(reason)]) == ("failed" if reason else "passed", reason)
        assert list(rack_context["fabric.address_v1"]["gateways"]) == ["10.1.1.1"]

    @pytest.mark.parametrize(
        ("proxy_arp", "of_all", "forwarding", "verdict"),
        [
            (1, 0, 1, "marginal"),
            (0, 1, 1, "marginal"),
            (1, 0, 0, "passed"),
            (0, 0, 1, "passed"),
            ("", "", "", "passed"),
        ],
    )
    def test_a_host_that_answers_for_others(
        self, scriptlet, prints, rack_context, tmp_path, proxy_arp, of_all, forwarding, verdict
    ):
        module = scriptlet("fabric.own_address")
        prints(module, {"arping": captured("arping-healthy.txt")})
        for name, value in (("eth1/proxy_arp", proxy_arp), ("all/proxy_arp", of_all), ("eth1/forwarding", forwarding)):
            path = tmp_path / "proc/sys/net/ipv4/conf" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{value}\n")
        params = {"address": "10.1.1.11", "port": "eth1", "root": str(tmp_path)}
        outcome = rack_context.run(module.OwnAddress, params)
        assert outcome.verdict == verdict
        assert ("proxy" in outcome.reason) == (verdict == "marginal")


class TestClock:
    @table("text", "verdict", "says")
    def test_what_chrony_says(self, scriptlet, prints, rack_context, text, verdict, says):
        module = scriptlet("clock.sync")
        prints(module, {"chronyc": text or captured("chrony-4.6-tracking.txt")})
        outcome = rack_context.run(module.ClockSync, {})
        assert outcome.verdict == verdict
        assert outcome.reason.startswith(says)

    @pytest.mark.parametrize("version", ["4.6", "4.3"])
    def test_every_version_of_chrony(self, scriptlet, version):
        found = scriptlet("clock.sync").tracking(captured(f"chrony-{version}-tracking.txt").strip())
        assert (found["is_following"], found["server"]) == (True, "192.168.255.254")


class TestDisk:
    def run(self, scriptlet, rack_context, tmp_path: Path, device: Path) -> Any:
        mounts = tmp_path / "mounts"
        mounts.write_text(f"{device} /srv/disk ext4 rw 0 0\n")
        return rack_context.run(scriptlet("disk.readable").DiskReadable, {"mount": "/srv/disk", "mounts": str(mounts)})

    def test_a_disk_that_can_be_read(self, scriptlet, rack_context, tmp_path):
        device = tmp_path / "disk"
        device.write_bytes(b"x" * 3_000_000)
        assert self.run(scriptlet, rack_context, tmp_path, device).verdict == "passed"
        assert rack_context["disk.readable_v1"]["read_bytes"] == 3_000_000

    def test_a_disk_that_fails_in_the_middle(self, scriptlet, rack_context, tmp_path, monkeypatch):
        module = scriptlet("disk.readable")
        monkeypatch.setattr(module, "read_device", lambda *_of: (4 << 20, 1 << 20, "Input/output error"))
        outcome = self.run(scriptlet, rack_context, tmp_path, tmp_path)
        assert "cannot be read beyond 1 MiB: Input/output error: copy its data, look at" in outcome.reason

    def test_nothing_is_mounted(self, scriptlet):
        with pytest.raises(ValueError, match="nothing is mounted at /srv/x"):
            scriptlet("disk.readable").device_of("/srv/x", "")
        with pytest.raises(ValueError, match="mounted at / is tmpfs, and no device: name the mount point of a disk"):
            scriptlet("disk.readable").device_of("/", "tmpfs / tmpfs rw 0 0")


class TestKernelLog:
    LINES = (
        "[1.0] EDAC MC0: 1 UE memory read error on DIMM#0\n[2.0] eth0: link up\n"
        "[3.0] NVRM: Xid (PCI:0000:3b:00): 79, GPU has fallen off the bus\n"
    )

    def run(self, scriptlet, rack_context, tmp_path: Path, **params: Any) -> Any:
        (tmp_path / "kern.log").write_text(self.LINES)
        return rack_context.run(
            scriptlet("host.kernel_log").KernelLog, {"source": str(tmp_path / "kern.log"), **params}
        )

    def test_known_errors_are_said_with_what_to_do(self, scriptlet, rack_context, tmp_path):
        outcome = self.run(scriptlet, rack_context, tmp_path)
        assert outcome.reason.startswith("uncorrectable memory error: replace the module that the line names (2 lines")

    def test_lines_may_be_left_out(self, scriptlet, rack_context, tmp_path):
        assert self.run(scriptlet, rack_context, tmp_path, ignore=["EDAC", "Xid"]).verdict == "passed"

    def test_a_log_that_is_not_there_is_an_error(self, scriptlet, rack_context, tmp_path):
        outcome = self.run(scriptlet, rack_context, tmp_path, source=str(tmp_path / "none"))
        assert outcome.verdict == "error"


def _processes(wanted, read, *, children=0.0, parent=1):
    return {
        pid: SimpleNamespace(threads={pid: seconds}, children=children, parent=parent, read=read)
        for pid, seconds in wanted.items()
    }


class TestCpuHogs:
    @pytest.fixture
    def run(self, scriptlet, rack_context, monkeypatch):
        """Run the scriptlet over two looks, and the numbers of the last process at each of them."""
        module = scriptlet("host.cpu_hogs")
        monkeypatch.setattr(module, "command_line", lambda _root, pid: {7: "sh"}.get(pid, "spin"))

        def look(first, last, numbers=(None, None), **params):
            seen, last_ones = iter([first, last]), iter(numbers)
            monkeypatch.setattr(module, "wanted", lambda _root: next(seen))
            monkeypatch.setattr(module, "last_started", lambda _root: next(last_ones))
            return rack_context.run(module.CpuHogs, {"seconds": 0.01, **params})

        return look

    def test_a_busy_process_is_named(self, run):
        first = _processes({7: 1.0, 8: 0.0}, 0)
        assert run(first, _processes({7: 9.0, 8: 0.1, 9: 5.0}, 10)).verdict == "passed"
        outcome = run(first, _processes({7: 9.5, 8: 0.1, 9: 5.0}, 10))
        assert outcome.reason.startswith("process 7 (sh) wants 85 % of a core: end it")

    def test_a_wait_that_began_before_makes_no_more_than_a_core(self, run, rack_context):
        run(_processes({7: 1.0}, 100), _processes({7: 5.0}, 101))
        assert rack_context.measured["busiest_process"] == 100

    def test_the_busiest_thread_counts_and_not_all_of_a_process(self, run, rack_context):
        first, last = _processes({7: 0.0}, 0), _processes({7: 0.0}, 10)
        first[7].threads = {7: 0.0, 70: 0.0, 71: 0.0}
        last[7].threads = {7: 0.0, 70: 5.0, 71: 6.0, 72: 9.0}  # one of them is new
        assert run(first, last).verdict == "passed"
        assert rack_context.measured["busiest_process"] == 60

    def test_short_lived_children_count_with_their_parent(self, run):
        """What a child that was there before has run before it ended does not: that is no work of now."""
        first = {**_processes({7: 1.0, 8: 0.0}, 0), **_processes({9: 400.0}, 0, parent=8)}
        last = {**_processes({7: 1.1}, 10, children=9.0), **_processes({8: 0.1}, 10, children=401.0)}
        outcome = run(first, last)
        assert outcome.reason.startswith("process 7 (sh) with its short-lived children wants 91 % of a core")

    def test_a_host_that_starts_processes_all_the_time(self, run):
        """The numbers of processes begin anew after the last one; whose children ran most is named."""
        first, last = _processes({7: 1.0, 8: 0.0}, 0), _processes({7: 1.0, 8: 0.1}, 10, children=0.5)
        most = int(Path("/proc/sys/kernel/pid_max").read_text())
        outcome = run(first, last, (most - 10, 20), max_starts=2000)
        assert outcome.reason.startswith("3000 processes or threads are started in a second, most by process 7 (sh): ")
        assert run(first, last, (100, 110), max_starts=2000).verdict == "passed"

    def test_what_runs_here(self, scriptlet, rack_context):
        hogs = scriptlet("host.cpu_hogs")
        assert (
            rack_context.run(hogs.CpuHogs, {"seconds": 0.1, "max_percent": 100, "max_starts": 1e6}).verdict == "passed"
        )
        with ThreadPoolExecutor() as pool:
            pool.submit(int).result()
            assert len(hogs.wanted(Path("/proc"))[os.getpid()].threads) > 1

    def test_a_kernel_that_does_not_count(self, scriptlet, tmp_path):
        with pytest.raises(ValueError, match="does not count the time of processes"):
            scriptlet("host.cpu_hogs").wanted(tmp_path)
        assert scriptlet("host.cpu_hogs").last_started(tmp_path) is None
