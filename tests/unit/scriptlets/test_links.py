# SPDX-License-Identifier: GPL-3.0-or-later

"""The scriptlets for links: rates, speed, optics, bonds, MLAG, on what tools print and what the kernel shows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table
from ansible_collections.rack.recipes.tests.unit.scriptlets.conftest import captured


def write(folder: Path, **files: object) -> None:
    """Write the files of a port as the kernel shows them; two underscores stand for a slash."""
    for name, text in files.items():
        file = folder / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")


class TestRates:
    def run(self, scriptlet, rack_context, root: Path, grow: Callable[[], None], **params: Any) -> Any:
        module = scriptlet("link.rates")
        module.time.sleep = lambda _seconds: grow()
        given = {"ports": ["swp1"], "seconds": 1, "root": str(root), **params}
        return rack_context.run(module.LinkRates, given)

    @pytest.fixture(autouse=True)
    def clock(self, scriptlet, monkeypatch):
        """A clock that goes on by one second each time it is read."""
        module, now = scriptlet("link.rates"), iter(range(1000))

        class Clock:
            monotonic = staticmethod(lambda: next(now))
            sleep = staticmethod(lambda _seconds: None)

        monkeypatch.setattr(module, "time", Clock)

    @table("counter", "grows", "is_bridged", "says")
    def test_what_grows(self, scriptlet, rack_context, tmp_path, counter, grows, is_bridged, says):
        write(tmp_path / "swp1", **{f"statistics__{counter}": 1000})
        if is_bridged:
            (tmp_path / "swp1/brport").mkdir()

        def grow():
            write(tmp_path / "swp1", **{f"statistics__{counter}": 1000 + grows})

        outcome = self.run(scriptlet, rack_context, tmp_path, grow)
        assert (outcome.verdict, outcome.reason) == ("failed" if says else "passed", says)
        assert rack_context["links.rates_v1"]["swp1"]["rates"][counter] == grows

    def test_a_counter_that_has_started_anew_says_nothing(self, scriptlet):
        assert scriptlet("link.rates").rates({"rx_errors": 9, "tx_errors": 1}, {"rx_errors": 2, "tx_errors": 1}, 1) == {
            "tx_errors": 0.0
        }

    def test_a_port_without_counters_is_an_error(self, scriptlet, rack_context, tmp_path):
        (tmp_path / "swp1").mkdir()
        outcome = self.run(scriptlet, rack_context, tmp_path, lambda: None)
        assert (outcome.verdict, outcome.reason) == ("error", "swp1: the counters cannot be read")

    def test_a_port_that_is_not_there(self, scriptlet, rack_context, tmp_path):
        outcome = self.run(scriptlet, rack_context, tmp_path, lambda: None)
        assert (outcome.verdict, outcome.reason) == ("failed", "there is no port swp1")


class TestSpeed:
    def run(self, scriptlet, prints, rack_context, root: Path, text: str = "", **params: Any) -> Any:
        module = scriptlet("link.speed")
        prints(module, {"ethtool": text})
        return rack_context.run(module.LinkSpeed, {"ports": ["swp1"], "root": str(root), **params})

    @pytest.mark.parametrize("version", ["6.1", "6.14"])
    def test_as_expected(self, scriptlet, prints, rack_context, tmp_path, version):
        write(tmp_path / "swp1", speed=10000, duplex="full", carrier=1)
        text = captured(f"ethtool-{version}-veth.txt")
        outcome = self.run(scriptlet, prints, rack_context, tmp_path, text, speed=10000, autoneg="off")
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context["links.speed_v1"]["swp1"] == {
            "speed": 10000, "duplex": "full", "carrier": "1", "autoneg": "off",
        }  # fmt: skip

    def test_everything_that_is_wrong_is_said(self, scriptlet, prints, rack_context, tmp_path):
        write(tmp_path / "swp1", speed=1000, duplex="half", carrier=1)
        text = captured("ethtool-6.14-veth.txt")
        outcome = self.run(scriptlet, prints, rack_context, tmp_path, text, speed=25000, autoneg="on")
        assert outcome.reason == "; ".join(
            f"swp1: {name} is {found}, expected {expected}: compare the settings of both ends"
            for name, found, expected in (("speed", 1000, 25000), ("duplex", "half", "full"), ("autoneg", "off", "on"))
        )

    @pytest.mark.parametrize(("absent", "verdict"), [("skip", "skipped"), ("fail", "failed")])
    def test_a_port_that_has_no_speed(self, scriptlet, prints, rack_context, tmp_path, absent, verdict):
        write(tmp_path / "swp1", speed=-1, duplex="unknown", carrier=1)
        outcome = self.run(scriptlet, prints, rack_context, tmp_path, absent=absent)
        assert (outcome.verdict, outcome.reason) == (verdict, "no such hardware: swp1 without a speed")

    def test_a_port_without_a_carrier(self, scriptlet, prints, rack_context, tmp_path):
        write(tmp_path / "swp1", carrier=0)
        outcome = self.run(scriptlet, prints, rack_context, tmp_path)
        assert (outcome.verdict, outcome.reason) == ("failed", "swp1 has no carrier: look at the cable first")

    def test_what_says_nothing_is_an_error(self, scriptlet, prints, rack_context, tmp_path):
        write(tmp_path / "swp1", speed=10000, duplex="full", carrier=1)
        outcome = self.run(scriptlet, prints, rack_context, tmp_path, "Settings for swp1:\n", autoneg="on")
        assert (outcome.verdict, outcome.reason[:46]) == ("error", "ethtool says nothing about autonegotiation: 'S")

    def test_a_port_that_is_not_there(self, scriptlet, prints, rack_context, tmp_path):
        assert self.run(scriptlet, prints, rack_context, tmp_path).reason == "there is no port swp1"


class TestOptics:
    def run(self, scriptlet, prints, rack_context, text: str, **params: Any) -> Any:
        module = scriptlet("link.optics")
        prints(module, {"ethtool": text})
        return rack_context.run(module.LinkOptics, {"ports": ["swp1"], **params})

    def test_a_good_module(self, scriptlet, prints, rack_context):
        outcome = self.run(scriptlet, prints, rack_context, captured("ethtool-module-sfp.txt"))
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context.measured == {
            "rx_power.swp1": -3.4, "tx_power.swp1": -2.35, "bias.swp1": 7.25, "temperature.swp1": 41.37,
            "voltage.swp1": 3.2914,
        }  # fmt: skip
        assert rack_context["links.optics_v1"]["swp1"]["rx_power"] == {
            "value": -3.4, "unit": "dBm", "min": -15.0, "max": 0.0, "warn_min": -13.0, "warn_max": -1.0,
        }  # fmt: skip

    def test_darkness(self, scriptlet, prints, rack_context):
        outcome = self.run(scriptlet, prints, rack_context, captured("ethtool-module-sfp-dark.txt"))
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "swp1: rx_power is -40 dBm, allowed -15 to 0: clean both ends of the fibre, "
            "then replace the far end's module"
        )

    def test_between_warning_and_alarm(self, scriptlet, prints, rack_context):
        assert self.run(scriptlet, prints, rack_context, captured("ethtool-module-sfp-weak.txt")).verdict == "marginal"

    def test_a_margin_above_the_alarm(self, scriptlet, prints, rack_context):
        outcome = self.run(scriptlet, prints, rack_context, captured("ethtool-module-sfp-weak.txt"), min_margin=2)
        assert outcome.reason.startswith("swp1: rx_power is -14 dBm, allowed -13 to 0: clean")

    def test_a_module_without_thresholds_is_measured_only(self, scriptlet, prints, rack_context):
        self.run(scriptlet, prints, rack_context, captured("ethtool-module-sfp-no-thresholds.txt"))
        assert (rack_context.checked, rack_context.measured["rx_power.swp1"]) == ({}, -3.4)

    def test_each_lane_of_a_module(self, scriptlet, prints, rack_context):
        outcome = self.run(scriptlet, prints, rack_context, captured("ethtool-module-qsfp28.txt"))
        assert outcome.verdict == "marginal"
        assert rack_context.checked == {
            **{f"{name}_{lane}.swp1": "passed" for name in ("rx_power", "tx_power", "bias") for lane in (1, 2, 3, 4)},
            "rx_power_3.swp1": "marginal", "temperature.swp1": "passed", "voltage.swp1": "passed",
        }  # fmt: skip

    @pytest.mark.parametrize(("absent", "verdict"), [("skip", "skipped"), ("fail", "failed")])
    def test_no_module(self, scriptlet, rack_context, monkeypatch, absent, verdict):
        module = scriptlet("link.optics")

        def run(argv):
            raise ValueError(f"{' '.join(argv)} ended with exit code 1: netlink error: Operation not supported")

        monkeypatch.setattr(module, "run", run)
        outcome = rack_context.run(module.LinkOptics, {"ports": ["swp1"], "absent": absent})
        assert (outcome.verdict, outcome.reason) == (
            verdict,
            "no such hardware: swp1 without a module that tells its levels",
        )

    def test_ethtool_that_is_missing_is_an_error(self, scriptlet, rack_context, monkeypatch):
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(scriptlet("tools.commands"), "PATHS", ())
        outcome = rack_context.run(scriptlet("link.optics").LinkOptics, {"ports": ["swp1"]})
        assert (outcome.verdict, outcome.reason) == ("error", "ethtool is not installed on this host")


class TestBond:
    def run(self, scriptlet, rack_context, folder: Path, file: str, **params: Any) -> Any:
        if file:
            (folder / "bond0").write_text(captured(file))
        return rack_context.run(scriptlet("link.bond").LinkBond, {"root": str(folder), **params})

    @pytest.mark.parametrize("version", ["3.7.1", "5.15"])
    def test_a_good_bond(self, scriptlet, rack_context, tmp_path, version):
        outcome = self.run(scriptlet, rack_context, tmp_path, f"bonding-{version}.txt", ports=2)
        assert (outcome.verdict, outcome.reason) == ("passed", "")
        assert rack_context["links.bonds_v1"]["bond0"]["partner"] == "02:00:00:00:01:01"

    def test_ports_that_lead_to_different_switches(self, scriptlet, rack_context, tmp_path):
        assert self.run(scriptlet, rack_context, tmp_path, "bonding-split.txt").reason == (
            "bond0: its ports lead to 2 different partners: compare the cables with the plan; "
            "bond0: LACP does not settle on eno2: compare key and rate of both ends"
        )

    def test_a_bond_without_a_partner(self, scriptlet, rack_context, tmp_path):
        outcome = self.run(scriptlet, rack_context, tmp_path, "bonding-alone.txt", ports=4, max_failures=0)
        assert outcome.reason == (
            "bond0: eno2 down: look at cable and far end; bond0 has 2 ports, expected 4: add what is missing to the "
            "bond; bond0: nobody answers by LACP: configure the far end's ports as one bond; "
            "bond0: LACP does not settle on eno1: compare key and rate of both ends; "
            "bond0: its links have failed 4 times: replace the cable of the port that counts"
        )

    @pytest.mark.parametrize(("absent", "verdict"), [("skip", "skipped"), ("fail", "failed")])
    @pytest.mark.parametrize(("names", "what"), [(None, "a bond"), (["bond1"], "bond bond1")])
    def test_no_bond(self, scriptlet, rack_context, tmp_path, absent, verdict, names, what):
        outcome = self.run(scriptlet, rack_context, tmp_path, "", absent=absent, names=names)
        assert (outcome.verdict, outcome.reason) == (verdict, f"no such hardware: {what}")

    def test_another_text_is_an_error(self, scriptlet, rack_context, tmp_path):
        (tmp_path / "bond0").write_text("Head: x\n")
        outcome = self.run(scriptlet, rack_context, tmp_path, "")
        assert (outcome.verdict, outcome.reason) == ("error", "this is no text of a bond: 'Head: x\\n'")


class TestMlag:
    def run(self, scriptlet, rack_context, told: Any, **params: Any) -> Any:
        return rack_context.run(scriptlet("link.mlag").LinkMlag, {"told": told, **params})

    @pytest.mark.parametrize("file", ["clagctl.json", "eos-mlag.json"])
    def test_a_good_pair(self, scriptlet, rack_context, file):
        outcome = self.run(scriptlet, rack_context, json.loads(captured(file)))
        assert (outcome.verdict, outcome.reason) == ("passed", "")

    def test_what_is_wrong_on_cumulus(self, scriptlet, rack_context):
        assert self.run(scriptlet, rack_context, captured("clagctl-broken.json")).reason == (
            "the backup way to the peer is not active: look at the management network; "
            "the switches differ in bond2: give both the same settings; "
            "bonds that are on one switch only: bond2: look at their second cable"
        )

    def test_what_is_wrong_on_eos(self, scriptlet, rack_context):
        assert self.run(scriptlet, rack_context, captured("eos-mlag-broken.json")).reason == (
            "the peer does not answer: look at the other switch; "
            "the peer link Port-Channel10 is down: look at its cables; "
            "the switches differ in configuration: give both the same settings; "
            "bonds that are on one switch only: 3 of 4: look at their second cable"
        )

    def test_a_switch_that_says_it_itself(self, scriptlet, prints, rack_context):
        module = scriptlet("link.mlag")
        prints(module, {"clagctl": captured("clagctl.json")})
        assert rack_context.run(module.LinkMlag, {}).verdict == "passed"

    @pytest.mark.parametrize("told", [{"state": "disabled"}, None])
    def test_no_mlag(self, scriptlet, rack_context, monkeypatch, told):
        monkeypatch.setenv("PATH", "")
        monkeypatch.setattr(scriptlet("tools.commands"), "PATHS", ())
        outcome = self.run(scriptlet, rack_context, told)
        assert (outcome.verdict, outcome.reason) == ("skipped", "no such hardware: MLAG")


class TestFlaps:
    """Between two runs, by the counter of the kernel."""

    def run(self, scriptlet, rack_context, now: dict[str, Any], boot: str) -> Any:
        looks = {"R1": ({"swp1": 0, "swp2": 0}, "b0"), "R2": ({"swp1": 4, "swp2": 1}, "b1")}
        rack_context.run_history["links.ports_v1"] = [
            {"run": run, "host": "leaf1", "value": self.ports(downs)} for run, (downs, _boot) in looks.items()
        ]
        rack_context.run_history["host.start_v1"] = [
            {"run": run, "host": "leaf1", "value": {"boot_id": then}} for run, (_downs, then) in looks.items()
        ]
        rack_context.give("links.ports_v1", self.ports(now), host="leaf1")
        rack_context.give("host.start_v1", {"boot_id": boot}, host="leaf1")
        return rack_context.run(scriptlet("link.flaps").LinkFlaps, {})

    def ports(self, downs: dict[str, Any]) -> dict[str, Any]:
        return {port: {"state": "up", "downs": count} for port, count in downs.items()}

    @pytest.mark.parametrize(
        ("now", "boot", "verdict"),
        [
            ({"swp1": 4, "swp2": 3}, "b1", "passed"),
            ({"swp1": 7, "swp2": 1}, "b1", "failed"),
            ({"swp1": 9, "swp2": 9}, "b2", "skipped"),
            ({"swp1": None}, "b1", "skipped"),
            ({"swp9": 9}, "b1", "skipped"),
        ],
        ids=["two", "three", "restarted", "no counter", "new port"],
    )
    def test_a_link_that_flaps_between_two_looks(self, scriptlet, rack_context, now, boot, verdict):
        outcome = self.run(scriptlet, rack_context, now, boot)
        assert outcome.verdict == verdict, outcome.reason
        if verdict == "failed":
            assert outcome.reason.startswith("carrier lost since the last run: leaf1 swp1 3 times: look at cable")

    def test_without_an_earlier_run(self, scriptlet, rack_context):
        rack_context.give("links.ports_v1", self.ports({"swp1": 4}), host="leaf1")
        rack_context.give("host.start_v1", {"boot_id": "b1"}, host="leaf1")
        assert rack_context.run(scriptlet("link.flaps").LinkFlaps, {}).verdict == "skipped"
