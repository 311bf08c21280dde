# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets that send traffic: pairs in rounds, throughput, peaks, outages, the mesh, equal paths, names."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import combinations
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table
from ansible_collections.rack.recipes.tests.unit.scriptlets.conftest import captured

VERSIONS = ("3.9", "3.12", "3.18")


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class TestRounds:
    @pytest.mark.parametrize("count", range(2, 12))
    def test_every_pair_meets_once_in_the_fewest_rounds(self, scriptlet, count):
        names = [f"h{number}" for number in range(count)]
        rounds = scriptlet("tools.rounds").rounds(names)
        assert len(rounds) == (count - 1 if count % 2 == 0 else count)
        met = sorted(tuple(sorted(pair)) for pairs in rounds for pair in pairs)
        assert met == sorted(combinations(sorted(names), 2))
        assert all(len({name for pair in pairs for name in pair}) == 2 * len(pairs) for pairs in rounds)
        clients = {client for pairs in rounds for client, _server in pairs}
        assert count == 2 or clients == {*names}  # a list of what one has measured is empty on no twin

    def test_both_of_a_pair_know_their_part(self, scriptlet):
        partners = scriptlet("tools.rounds").partners
        for number, (one, other) in enumerate(zip(partners("abc", "a"), partners("abc", "b"), strict=True)):
            if one and one[0] == "b":
                assert other == ("a", not one[1]), number


class TestThroughput:
    @pytest.mark.parametrize("version", VERSIONS)
    def test_what_iperf3_says_of_a_test(self, scriptlet, version):
        found = scriptlet("fabric.throughput").read(json.loads(captured(f"iperf3-{version}.json")))
        told = json.loads(captured(f"iperf3-{version}.json"))
        assert found["mbits"] == round(told["end"]["sum_received"]["bits_per_second"] / 1e6, 1)
        assert found["retransmits"] == told["end"]["sum_sent"]["retransmits"]
        assert [flow["to"][1] for flow in found["flows"]] == [told["start"]["connected"][0]["remote_port"]] * 2

    @pytest.mark.parametrize("version", VERSIONS)
    def test_the_way_back_has_the_partner_as_sender(self, scriptlet, version):
        told = json.loads(captured(f"iperf3-{version}-back.json"))
        flow = scriptlet("fabric.throughput").read(told)["flows"][0]
        place = told["start"]["connected"][0]
        assert (flow["from"][1], flow["to"][1]) == (place["remote_port"], place["local_port"])

    @pytest.mark.parametrize("version", VERSIONS)
    def test_a_partner_that_does_not_listen_yet(self, scriptlet, version):
        module, told = scriptlet("fabric.throughput"), json.loads(captured(f"iperf3-{version}-refused.json"))
        assert module.is_early(told)
        with pytest.raises(ValueError, match=r"not reached|Connection refused"):
            module.read(told)

    @pytest.mark.parametrize("at_once", [False, True])
    def test_two_hosts_meet(self, scriptlet, at_once: bool):
        """Two hosts of one machine, with real iperf3, each of which waits for the other."""
        module = scriptlet("fabric.throughput")
        peers = {"a": "127.0.0.1", "b": "127.0.0.2"}
        params = {"peers": peers, "seconds": 1, "streams": 2, "wait": 20.0, "at_once": at_once}
        port = free_port()
        found: list[Any] = []
        thread = threading.Thread(
            target=lambda: found.append(module.meet("b", "a", params, port, is_client=False)), daemon=True
        )
        thread.start()
        there, back = module.meet("a", "b", params, port, is_client=True)
        thread.join(30)
        assert found == [[]]
        assert (there["from"], there["to"], back["from"], back["to"]) == ("a", "b", "b", "a")
        assert min(there["mbits"], back["mbits"]) > 1
        assert there["flows"][0]["from"][0] == back["flows"][0]["to"][0] == "127.0.0.1"

    def run(self, scriptlet, rack_context, monkeypatch, met: Any, gone: str = "", **params: Any) -> Any:
        module = scriptlet("fabric.throughput")
        monkeypatch.setattr(module, "meet", met)
        monkeypatch.setattr(module, "present", lambda *_words: nullcontext())
        monkeypatch.setattr(module, "absent", lambda *_words: set(gone))
        peers = {"a": "192.0.2.1", "b": "192.0.2.2", "c": "192.0.2.3"}
        return rack_context.run(module.Throughput, {"peers": peers, "me": "a", **params})

    @staticmethod
    def pair(me: str, partner: str, *_more: Any, mbits: float = 900.0, **_how: Any) -> list[dict[str, Any]]:
        return [{"from": me, "to": partner, "mbits": mbits, "retransmits": 30, "gigabytes": 0.1, "flows": []}]

    def test_without_limits_it_measures(self, scriptlet, rack_context, monkeypatch):
        assert self.run(scriptlet, rack_context, monkeypatch, self.pair).verdict == "passed"
        assert rack_context.measured["mbits.a-b"] == 900.0
        assert rack_context.measured["retransmits.a-c"] == 300.0

    def test_limits(self, scriptlet, rack_context, monkeypatch):
        limits = {"min_mbits": 1000, "max_retransmits": 100}
        assert self.run(scriptlet, rack_context, monkeypatch, self.pair, **limits).reason == "; ".join(
            f"a to {name}: {said}: test the cables on the way"
            for name in "cb"
            for said in ("900 Mbit/s, min 1000", "300 1/GB, max 100")
        )

    def test_a_partner_that_does_not_come_is_an_error(self, scriptlet, rack_context, monkeypatch):
        def met(me: str, partner: str, *more: Any, **how: Any) -> Any:
            if partner == "b":
                raise ValueError("iperf3 -s -1 did not end within 61 s")
            return self.pair(me, partner)

        outcome = self.run(scriptlet, rack_context, monkeypatch, met)
        assert (outcome.verdict, outcome.reason) == ("error", "b: iperf3 -s -1 did not end within 61 s")
        assert [pair["to"] for pair in rack_context["throughput.pairs_v1"]] == ["c"]

    def test_a_host_that_takes_no_part_is_an_error_and_the_others_go_on(self, scriptlet, rack_context, monkeypatch):
        outcome = self.run(scriptlet, rack_context, monkeypatch, self.pair, gone="b")
        assert (outcome.verdict, outcome.reason) == (
            "error",
            "b takes no part: look at its results, and let all hosts run at once (-f)",
        )
        assert [pair["to"] for pair in rack_context["throughput.pairs_v1"]] == ["c"]

    def test_who_shows_that_its_step_runs(self, scriptlet):
        module, port = scriptlet("tools.presence"), free_port()
        hosts = {"a": "127.0.0.1", "b": "127.0.0.2"}
        with module.present("127.0.0.1", port):
            assert module.absent(hosts, port, 0) == {"b"}
        assert module.absent(hosts, port, 0) == {"a", "b"}

    def test_a_host_that_is_no_peer(self, scriptlet, rack_context, monkeypatch):
        outcome = self.run(scriptlet, rack_context, monkeypatch, self.pair, me="z")
        assert outcome.reason == "peers have no z: expected this host among a, b, c"

    def test_a_host_alone_has_measured_nothing_and_does_not_pass(self, scriptlet, rack_context):
        module = scriptlet("fabric.throughput")
        outcome = rack_context.run(module.Throughput, {"peers": {"a": "192.0.2.1"}, "me": "a"})
        assert outcome.verdict == "skipped"
        assert outcome.reason == "a is alone among the peers: there is no host to test with, see --limit"

    def test_what_is_no_json(self, scriptlet):
        with pytest.raises(ValueError, match=r"iperf3 printed no JSON: 'oops'"):
            scriptlet("fabric.throughput").decoded("oops")


class TestPair:
    """A link, both ways; the answers of iperf3 are captured ones."""

    PARAMS = {"peer": "192.0.2.2", "port": 5201}

    def answers(self, scriptlet, monkeypatch, *said: str) -> Any:
        module, left = scriptlet("traffic.pair"), [*said]
        monkeypatch.setattr(module, "run", lambda *_words, **_how: left.pop(0))
        monkeypatch.setattr(module, "PAUSE", 0)
        return module.Pair

    def both(self, version: str) -> tuple[str, str]:
        return captured(f"iperf3-{version}.json"), captured(f"iperf3-{version}-back.json")

    @pytest.mark.parametrize("version", VERSIONS)
    def test_a_good_link_passes_both_ways(self, scriptlet, rack_context, monkeypatch, version):
        pair = self.answers(scriptlet, monkeypatch, *self.both(version))
        outcome = rack_context.run(pair, {**self.PARAMS, "min_mbits": 1, "max_retransmits": 1e9})
        assert outcome.verdict == "passed"
        told = json.loads(captured(f"iperf3-{version}.json"))
        rate = round(told["end"]["sum_received"]["bits_per_second"] / 1e6, 1)
        assert rack_context.measured["mbits_there"] == rate
        assert {"mbits_back", "retransmits_there", "retransmits_back"} <= rack_context.measured.keys()

    def test_a_slow_link_fails_and_each_way_is_named(self, scriptlet, rack_context, monkeypatch):
        pair = self.answers(scriptlet, monkeypatch, *self.both("3.18"))
        outcome = rack_context.run(pair, {**self.PARAMS, "min_mbits": 1e9})
        assert outcome.verdict == "failed"
        assert [text.split(":")[0] for text in outcome.reason.split("; ")] == ["there", "back"]
        assert outcome.reason.endswith("min 1,000,000,000: test the cable, both ports and the path between them")

    def test_a_server_that_is_still_busy_is_asked_again(self, scriptlet, rack_context, monkeypatch):
        busy = json.dumps({"start": {"connected": []}, "error": "the server is busy running a test. try again later"})
        pair = self.answers(scriptlet, monkeypatch, self.both("3.18")[0], busy, self.both("3.18")[1])
        assert rack_context.run(pair, self.PARAMS).verdict == "passed"

    @pytest.mark.parametrize("version", VERSIONS)
    def test_nobody_there_is_an_error(self, scriptlet, rack_context, monkeypatch, version):
        pair = self.answers(scriptlet, monkeypatch, captured(f"iperf3-{version}-refused.json"))
        assert rack_context.run(pair, self.PARAMS).verdict == "error"

    def test_a_serving_side_that_cannot_listen_is_an_error(self, scriptlet, rack_context):
        outcome = rack_context.run(scriptlet("traffic.serve").Serve, {"port": 5201, "address": "192.0.2.77"})
        assert outcome.verdict == "error"
        assert outcome.reason.startswith("iperf3 has ended: ")


class TestIncast:
    """Many senders to one; the answers of iperf3 are captured ones."""

    PARAMS = {"peer": "192.0.2.2", "port": 5201, "rank": 2, "members": ["a", "b", "c"]}

    @pytest.mark.parametrize("version", VERSIONS)
    def test_a_receiver_that_does_not_listen_for_a_sender(self, scriptlet, rack_context, monkeypatch, version):
        module, told = scriptlet("fabric.incast"), captured(f"iperf3-{version}-refused.json")
        monkeypatch.setattr(module, "measured", lambda *_words: json.loads(told))
        outcome = rack_context.run(module.FabricIncast, self.PARAMS)
        assert outcome.verdict == "error"
        assert outcome.reason.startswith("nobody listens for sender 2 at 192.0.2.2, port 5202 (")
        assert 'write serve: {module: traffic.serve, args: {port: "${own.port}", members: "${own.members}"}}' in (
            outcome.reason
        )

    def test_a_group_of_one(self, scriptlet, rack_context):
        outcome = rack_context.run(scriptlet("fabric.incast").FabricIncast, {**self.PARAMS, "members": ["a"]})
        assert outcome.reason == "members has 1 host: give it ${own.members}, in a step of scope group"


class TestPairs:
    def run(self, scriptlet, rack_context, rates: dict[tuple[str, str], list[float]]) -> Any:
        module = scriptlet("fabric.throughput_pairs")
        for (source, to), flows in rates.items():
            told = {"from": source, "to": to, "mbits": sum(flows), "retransmits": 1}
            pairs = rack_context._others.get(source, {}).get("throughput.pairs_v1", [1, []])[1]
            own = [*pairs, {**told, "flows": [{"mbits": rate} for rate in flows]}]
            rack_context.give("throughput.pairs_v1", own, host=source)
        return rack_context.run(module.ThroughputPairs, {})

    def test_pairs_that_are_alike(self, scriptlet, rack_context):
        rates = {("a", "b"): [500.0, 400.0], ("b", "a"): [600.0, 300.0], ("a", "c"): [500.0, 500.0]}
        assert self.run(scriptlet, rack_context, rates).verdict == "passed"
        assert rack_context["throughput.summary_v1"] == {
            "pairs": 3, "median_mbits": 900.0, "least_mbits": 900.0, "slow": [],
        }  # fmt: skip

    def test_a_slow_pair_and_a_slow_flow(self, scriptlet, rack_context):
        rates = {("a", "b"): [500.0] * 2, ("b", "a"): [5.0] * 2, ("a", "c"): [900.0, 8.0], ("c", "a"): [500.0] * 2}
        assert self.run(scriptlet, rack_context, rates).reason == (
            "half of all pairs reach 954 Mbit/s; a to c 1 of 2 flows only 8: one of several paths is slow; "
            "b to a only 10: test the cables on the way"
        )

    def test_without_results_it_is_an_error(self, scriptlet, rack_context):
        outcome = self.run(scriptlet, rack_context, {})
        assert (outcome.verdict, outcome.reason) == (
            "error",
            "no host has measured its throughput: look at the step fabric.throughput",
        )


class TestPeaks:
    def run(self, scriptlet, rack_context, monkeypatch, peaks: dict[str, float]) -> Any:
        module = scriptlet("link.peaks")
        monkeypatch.setattr(module, "watched", lambda *_words: {port: [peak] * 2 for port, peak in peaks.items()})
        return rack_context.run(module.LinkPeaks, {"ports": [*peaks]})

    def test_a_slow_port_is_named(self, scriptlet, rack_context, monkeypatch):
        peaks = {"swp1": 11.0, "swp2": 3900.0, "swp3": 4000.0, "swp4": 0.0}
        assert self.run(scriptlet, rack_context, monkeypatch, peaks).reason == (
            "swp1 sends 11 Mbit/s at most, half of the ports 3900: compare the speed of both ends, "
            "then replace cable or optics"
        )

    def test_ports_that_are_alike(self, scriptlet, rack_context, monkeypatch):
        assert self.run(scriptlet, rack_context, monkeypatch, {"swp1": 900.0, "swp2": 3900.0}).verdict == "passed"

    def test_without_traffic_it_is_an_error(self, scriptlet, rack_context, monkeypatch):
        outcome = self.run(scriptlet, rack_context, monkeypatch, {"swp1": 0.0})
        assert (outcome.verdict, outcome.reason) == (
            "error",
            "no port has sent much within 60 s: run it beside fabric.throughput",
        )

    def test_what_counters_grow_by(self, scriptlet, tmp_path, monkeypatch):
        module, sent = scriptlet("link.peaks"), iter([0, 0, 50_000_000, 50_100_000, 50_100_000, 50_100_000])
        monkeypatch.setattr(module, "counted", lambda _counters: {"swp1": (bytes_ := next(sent), bytes_ // 1500)})
        monkeypatch.setattr(module, "PAUSE", 0.01)
        seen = module.watched({"swp1": tmp_path}, {"wait": 5, "seconds": 5, "idle": 0.005})
        assert len(seen["swp1"]) == 3
        assert seen["swp1"][0] > 1000

    def test_a_port_that_was_hardly_used_is_not_judged(self, scriptlet, rack_context, monkeypatch):
        module = scriptlet("link.peaks")
        seen = {"swp1": [900.0] * 10, "swp2": [0.1] * 9 + [11.0]}
        monkeypatch.setattr(module, "watched", lambda *_words: seen)
        assert rack_context.run(module.LinkPeaks, {"ports": [*seen]}).verdict == "passed"
        assert rack_context.measured["peak.swp2"] == 11.0

    @table("sent", "packets", "mbits")
    def test_acknowledgements_are_no_use_of_a_port(self, scriptlet, sent, packets, mbits):
        assert scriptlet("link.peaks").rate((7, 7), (7 + sent, 7 + packets), 1.0) == mbits

    def test_counters_of_the_kernel(self, scriptlet, tmp_path):
        for name, number in (("tx_bytes", 3000), ("tx_packets", 2)):
            (tmp_path / name).write_text(f"{number}\n")
        assert scriptlet("link.peaks").counted({"swp1": tmp_path}) == {"swp1": [3000, 2]}

    def test_a_port_that_is_not_there(self, scriptlet, tmp_path):
        with pytest.raises(ValueError, match="there is no port swp9"):
            scriptlet("link.peaks").counted({"swp9": tmp_path / "swp9/statistics"})


class TestOutages:
    @pytest.mark.parametrize(
        ("back", "begin", "seconds"),
        [
            ({0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 0, 0),
            ({0, 1, 5, 6, 7, 8, 9}, 0, 3),
            ({0, 2, 6, 7, 8, 9}, 0, 3),
            ({0, 1, 2}, 0, 6),
            ({0, 1, 5, 6, 7, 8, 9}, 3, 2),
            ({0, 1, 5, 6, 7, 8, 9}, 6, 0),
        ],
    )
    def test_the_longest_outage(self, scriptlet, back, begin, seconds):
        sent = [float(number) for number in range(10)]
        assert scriptlet("tools.numbered_packets").outage(sent, back, begin, 99) == seconds

    def test_packets_come_back_from_an_echo(self, scriptlet):
        module, port = scriptlet("tools.numbered_packets"), free_port(socket.SOCK_DGRAM)
        counted: list[int] = []
        thread = threading.Thread(target=lambda: counted.append(module.echo("127.0.0.1", port, 20)), daemon=True)
        thread.start()
        flows = module.Flows("127.0.0.1", "127.0.0.1", port, 4, 0.01)
        flows.wait_for_echo(20)
        flows.run_until(module.time.monotonic() + 0.3)
        flows.run_until(module.time.monotonic() + 0.3, is_sending=False)
        flows.close()
        thread.join(20)
        assert flows.losses() == [0.0] * 4
        assert flows.outages(0, float("inf")) == [0.0] * 4
        assert counted[0] >= sum(map(len, flows.sent))

    def test_an_echo_that_nobody_asks(self, scriptlet):
        port = free_port(socket.SOCK_DGRAM)
        with pytest.raises(ValueError, match=rf"no packets came to 127.0.0.1 port {port} within 0.1 s"):
            scriptlet("tools.numbered_packets").echo("127.0.0.1", port, 0.1)

    def test_an_echo_that_is_not_there(self, scriptlet):
        port = free_port(socket.SOCK_DGRAM)
        flows = scriptlet("tools.numbered_packets").Flows("127.0.0.1", "127.0.0.1", port, 1, 0.01)
        with pytest.raises(ValueError, match=rf"nothing comes back from 127.0.0.1 port {port}"):
            flows.wait_for_echo(0.2)
        flows.close()


HOSTS = {
    "sender": {"host": "s", "address": "127.0.0.1"},
    "echoer": {"host": "e", "address": "127.0.0.1"},
    "router": {"host": "r", "address": "127.0.0.1"},
    "link": "swp1",
}


class TestConvergence:
    def judge(self, scriptlet, rack_context, outages: dict[str, list[float]], carried: int = 100) -> str:
        module = scriptlet("fabric.convergence")
        params = {**HOSTS, "flows": 2, "max_down_ms": 1000.0, "max_up_ms": 1000.0}
        try:
            module._judge(rack_context, params, carried, outages)
        except (module.Failed, ValueError) as error:
            return str(error)
        return ""

    def test_short_outages(self, scriptlet, rack_context):
        assert self.judge(scriptlet, rack_context, {"down": [0.11, 0.0], "up": [0.0, 0.0]}) == ""
        assert rack_context["fabric.convergence_v1"] == {
            "link": "swp1", "outages_ms": {"down": [110, 0], "up": [0, 0]}, "flows_hit": {"down": 1, "up": 0},
        }  # fmt: skip

    def test_long_outages(self, scriptlet, rack_context):
        said = self.judge(scriptlet, rack_context, {"down": [2.5, 0.0], "up": [1.5, 0.0]})
        assert said == (
            "r:swp1: 2500 ms without packets when the link goes down, at most 1000: let the routers react to the "
            "carrier (BGP: fast external failover) or use BFD; 1500 ms without packets when it comes back, at most "
            "1000: announce routes only once the router can forward (BGP: update delay, wait for FIB)"
        )

    def test_a_link_that_carried_nothing_says_nothing(self, scriptlet, rack_context):
        said = self.judge(scriptlet, rack_context, {"down": [0.0], "up": [0.0]}, carried=1)
        assert said == "swp1 carried none of the flows, so nothing was measured: take another link"

    @pytest.mark.parametrize(("me", "what"), [("x", "none"), ("s", "sender and echoer")])
    def test_a_host_without_a_part(self, scriptlet, rack_context, me, what):
        hosts = {**HOSTS, "echoer": HOSTS["sender"]}
        outcome = rack_context.run(scriptlet("fabric.convergence").Convergence, {**hosts, "me": me})
        assert outcome.reason == f"{me} must be one of sender, echoer and router, and is {what}"

    def test_a_sender_that_says_nothing(self, scriptlet, rack_context):
        params = {**HOSTS, "me": "r", "wait": 0.1, "port": free_port(socket.SOCK_DGRAM)}
        outcome = rack_context.run(scriptlet("fabric.convergence").Convergence, params)
        assert (outcome.verdict, outcome.reason) == ("error", "s has not said within 0.1 s to begin")


class TestProbes:
    def test_open_and_closed_ports_answer(self, scriptlet):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            for port in (listening.getsockname()[1], free_port()):
                delays = scriptlet("tools.probes").probe("127.0.0.1", port, 20, 0, 5)
                assert len(delays) == 20
                assert None not in delays

    def test_what_does_not_answer_is_lost(self, scriptlet, monkeypatch):
        """A listener whose queue is full answers no more."""
        with socket.socket() as listening:
            listening.bind(("127.0.0.1", 0))
            listening.listen(0)
            others = [socket.socket() for _number in range(4)]
            for each in others:
                each.setblocking(False)
                each.connect_ex(listening.getsockname())
            delays = scriptlet("tools.probes").probe("127.0.0.1", listening.getsockname()[1], 3, 0, 0.1)
            for each in others:
                each.close()
        assert delays == [None] * 3

    def test_figures(self, scriptlet):
        assert scriptlet("tools.probes").figures([1.0, 3.0, None, 2.0]) == {
            "loss": 25.0, "p50_ms": 2.0, "p95_ms": 3.0, "p99_ms": 3.0, "max_ms": 3.0, "jitter_ms": 1.5,
        }  # fmt: skip
        assert scriptlet("tools.probes").figures([None])["p50_ms"] is None


class TestMesh:
    def run(self, scriptlet, rack_context, monkeypatch, delays: list[Any], most: int = 9000, **params: Any) -> Any:
        module = scriptlet("fabric.mesh")
        monkeypatch.setattr(module, "probe", lambda *_words: delays)
        monkeypatch.setattr(module, "arrives", lambda _target, size: size <= most)
        return rack_context.run(module.Mesh, {"targets": ["192.0.2.1"], "flows": len(delays), "mtu": 9000, **params})

    def test_a_good_way(self, scriptlet, rack_context, monkeypatch):
        assert self.run(scriptlet, rack_context, monkeypatch, [1.0, 2.0]).verdict == "passed"
        assert rack_context.measured["p99_ms.192.0.2.1"] == 2.0
        assert rack_context["fabric.mesh_v1"]["192.0.2.1"]["mtu"] == 9000

    @pytest.mark.parametrize(
        ("delays", "most", "limits", "says"),
        [
            (
                [1.0, None, 1.0, 1.0],
                9000,
                {},
                "25 % of 4 flows are lost: one of several paths loses packets, look at the step that tests each cable",
            ),
            ([None] * 4, 9000, {}, "100 % of 4 flows are lost: look at routes and cables of both ends"),
            ([1.0] * 4, 1500, {}, "packets of 1500 bytes arrive, not of 9000: compare MTUs on the way"),
            ([1.0, 9.0], 9000, {"max_p99_ms": 5}, "p99 is 9 ms, at most 5: look for a busy link"),
            ([1.0, 9.0], 9000, {"max_jitter_ms": 5}, "jitter is 8 ms, at most 5: look for a busy link"),
        ],
    )
    def test_a_bad_way(self, scriptlet, rack_context, monkeypatch, delays, most, limits, says):
        outcome = self.run(scriptlet, rack_context, monkeypatch, delays, most, **limits)
        assert (outcome.verdict, outcome.reason) == ("failed", f"192.0.2.1: {says}")

    @pytest.mark.parametrize(("most", "found"), [(100, 0), (576, 576), (1504, 1500), (8999, 8000), (9000, 9000)])
    def test_the_largest_packet(self, scriptlet, monkeypatch, most, found):
        module = scriptlet("fabric.mesh")
        monkeypatch.setattr(module, "arrives", lambda _target, size: size <= most)
        assert module.path_mtu("192.0.2.1", 9000) == found


class TestSpread:
    def run(self, scriptlet, rack_context, monkeypatch, ports: list[Any], paths: int = 2) -> Any:
        module = scriptlet("fabric.spread")
        monkeypatch.setattr(module, "ports_of", lambda *_words: ports)
        params = {"source": "192.0.2.9", "targets": ["192.0.2.1"], "paths": paths, "flows": len(ports)}
        return rack_context.run(module.EcmpSpread, params)

    def test_each_path_has_its_share(self, scriptlet, rack_context, monkeypatch):
        assert self.run(scriptlet, rack_context, monkeypatch, ["swp1", "swp2", "swp2"] * 4).verdict == "passed"
        assert rack_context["fabric.spread_v1"] == {"192.0.2.1": {"swp1": 4, "swp2": 8}}

    @pytest.mark.parametrize(
        ("ports", "says"),
        [
            (["swp1"] * 8, "1 of 2 paths are used (swp1 8): look at the BGP sessions"),
            (
                ["swp1"] * 15 + ["swp2"],
                "flows are spread unevenly (swp1 15, swp2 1): let the router hash ports (fib_multipath_hash_policy)",
            ),
            ([None] * 8, "there is no route"),
        ],
    )
    def test_what_is_wrong(self, scriptlet, rack_context, monkeypatch, ports, says):
        assert self.run(scriptlet, rack_context, monkeypatch, ports).reason == f"192.0.2.1: {says}"

    @pytest.mark.parametrize(("version", "ports"), [("6.1", ["swp2", "swp1"]), ("6.15", ["swp1", "swp1", "swp2"])])
    def test_what_the_kernel_answers(self, scriptlet, version, ports):
        assert scriptlet("tools.routes").read(captured(f"iproute2-{version}-route-get.txt")) == ports

    def test_a_real_kernel(self, scriptlet):
        flows = [("127.0.0.1", 20000 + number, "127.0.0.1", 7) for number in range(3)]
        assert scriptlet("tools.routes").ports_of(flows, "", "udp") == ["lo"] * 3

    def test_what_hosts_say_cannot_become_a_command(self, scriptlet):
        with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
            scriptlet("tools.routes").ports_of([("10.0.0.1\nlink del eth0", 1, "10.0.0.2", 2)], "lo", "udp")


def answer_of(question: bytes, flags: int = 0x8180, records: list[tuple[int, bytes]] | None = None) -> bytes:
    """An answer to a question, with an alias before its records, all with pointers to the name."""
    alias = (5, b"\x01x\xc0\x0c")
    told = [alias, *(records if records is not None else [(1, bytes([192, 0, 2, 7]))])]
    head = question[:2] + struct.pack("!5H", flags, 1, len(told), 0, 0)
    body = b"".join(b"\xc0\x0c" + struct.pack("!2HIH", kind, 1, 60, len(data)) + data for kind, data in told)
    return head + question[12:] + body


class NameServer:
    """A name server on a free port that answers each question with what `reply` makes of it; by TCP with an address."""

    def __init__(self, reply: Any) -> None:
        self._tcp = socket.create_server(("127.0.0.1", 0))
        self.port = self._tcp.getsockname()[1]
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._reply = reply
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _serve_udp(self) -> None:
        while True:
            try:
                question, source = self._udp.recvfrom(2048)
                self._udp.sendto(self._reply(question), source)
            except OSError:
                return

    def _serve_tcp(self) -> None:
        while True:
            try:
                accepted, _source = self._tcp.accept()
            except OSError:
                return
            with accepted:
                question = accepted.recv(2048)[2:]
                answer = answer_of(question)
                accepted.sendall(struct.pack("!H", len(answer)) + answer)

    def close(self) -> None:
        for each in (self._udp, self._tcp):
            each.shutdown(socket.SHUT_RDWR) if each is self._tcp else each.close()
        self._tcp.close()


@pytest.fixture
def name_server() -> Iterator[Any]:
    started: list[NameServer] = []

    def start(reply: Any) -> int:
        started.append(NameServer(reply))
        return started[-1].port

    yield start
    for each in started:
        each.close()


@pytest.fixture
def dnsmasq() -> Iterator[int]:
    """The port of a real name server that knows one name."""
    port = free_port()
    words = ("--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts", "--user=root", "--pid-file")
    address = (
        "--address=/node1.example/192.0.2.7",
        "--listen-address=127.0.0.1",
        "--bind-interfaces",
        f"--port={port}",
    )
    path = f"{os.environ['PATH']}:/usr/sbin"
    with subprocess.Popen(("dnsmasq", *words, *address), env={**os.environ, "PATH": path}) as process:
        try:
            yield port
        finally:
            process.kill()


class TestNames:
    def test_a_real_name_server(self, scriptlet, rack_context, dnsmasq):
        names = {"node1.example": ["192.0.2.7"], "node2.example": []}
        for _try in range(100):
            outcome = self.run(scriptlet, rack_context, dnsmasq, names=names)
            if "Connection refused" not in outcome.reason:
                break
            time.sleep(0.1)
        assert outcome.reason == (
            "127.0.0.1 says refused (asked for node2.example): look at this name server, or take it out"
        )
        assert rack_context.checked["addresses.node1.example@127.0.0.1"] == "passed"

    def run(self, scriptlet, rack_context, port: int, **params: Any) -> Any:
        given = {
            "names": {"node1.example": ["192.0.2.7"]},
            "servers": ["127.0.0.1"],
            "port": port,
            "timeout": 5,
            **params,
        }
        return rack_context.run(scriptlet("host.names").HostNames, given)

    def test_a_right_answer(self, scriptlet, rack_context, name_server):
        outcome = self.run(scriptlet, rack_context, name_server(answer_of))
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context["host.names_v1"][0]["addresses"] == ["192.0.2.7"]

    def test_a_truncated_answer_is_asked_for_by_tcp(self, scriptlet, rack_context, name_server):
        port = name_server(lambda question: answer_of(question, 0x8380, []))
        assert self.run(scriptlet, rack_context, port).verdict == "passed"

    @pytest.mark.parametrize(
        ("reply", "says"),
        [
            (lambda question: answer_of(question, 0x8183, []), "127.0.0.1 says no such name (asked for node1.example)"),
            (
                lambda question: answer_of(question, 0x8182, []),
                "127.0.0.1 says server failure (asked for node1.example)",
            ),
            (lambda question: question, "127.0.0.1 answers another question (asked for node1.example)"),
            (lambda question: answer_of(question)[:-3], "127.0.0.1 gives an answer that cannot be read (asked"),
            (
                lambda question: answer_of(question, records=[(1, bytes([192, 0, 2, 8]))]),
                "127.0.0.1 gives 192.0.2.8 for node1.example, expected 192.0.2.7",
            ),
            (
                lambda question: answer_of(question, records=[]),
                "127.0.0.1 gives no address for node1.example, expected 192.0.2.7",
            ),
        ],
    )
    def test_a_wrong_answer(self, scriptlet, rack_context, name_server, reply, says):
        outcome = self.run(scriptlet, rack_context, name_server(reply))
        assert outcome.verdict == "failed"
        assert outcome.reason.startswith(says)

    def test_a_server_that_does_not_answer(self, scriptlet, rack_context):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            outcome = self.run(scriptlet, rack_context, silent.getsockname()[1], timeout=0.1)
        assert outcome.reason == (
            "127.0.0.1 does not answer within 0.1 s (asked for node1.example): look at this name server, or take it out"
        )

    def test_an_answer_that_takes_long(self, scriptlet, rack_context, name_server):
        outcome = self.run(scriptlet, rack_context, name_server(answer_of), max_ms=0)
        assert "ms for node1.example: look at its load and its forwarders" in outcome.reason

    def test_the_servers_of_the_host(self, scriptlet, rack_context, tmp_path):
        file = tmp_path / "resolv.conf"
        file.write_text("# nameserver 192.0.2.1\nsearch example\nnameserver 192.0.2.2\nnameserver 2001:db8::1\n")
        assert scriptlet("host.names").configured(file.read_text()) == ["192.0.2.2", "2001:db8::1"]
        file.write_text("")
        outcome = self.run(scriptlet, rack_context, 53, servers=[], resolv_conf=str(file))
        assert outcome.reason == f"{file} names no server: add a line `nameserver ADDRESS`"

    def test_what_is_no_name(self, scriptlet):
        with pytest.raises(ValueError, match=r"'a..b' is no name"):
            scriptlet("tools.dns_query").encoded("a..b")

    def test_a_name_in_the_arguments_that_is_none(self, scriptlet, rack_context):
        outcome = self.run(scriptlet, rack_context, 53, names={"a" * 64 + ".example": []})
        assert (outcome.verdict, outcome.reason) == ("error", f"'{'a' * 64}.example' is no name")
