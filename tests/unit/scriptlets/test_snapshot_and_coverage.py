# SPDX-License-Identifier: GPL-3.0-or-later

"""What is different from an earlier run, and which parts of a test the inventory has what they need for."""

from __future__ import annotations

import pytest

BEFORE = {
    "links.ports_v1": {"swp1": {"mtu": 9000, "state": "up", "downs": 1}},
    "fabric.routes_v1": [{"prefix": "10.1.1.0/24", "paths": 2}, {"prefix": "10.1.2.0/24", "paths": 2}],
    "redfish.firmware_v1": {"BIOS": {"version": "2.4.0"}},
}
NOW = {
    "links.ports_v1": {"swp1": {"mtu": 9000, "state": "up", "downs": 7}},
    "fabric.routes_v1": [{"prefix": "10.1.2.0/24", "paths": 2}, {"prefix": "10.1.1.0/24", "paths": 2}],
    "redfish.firmware_v1": {"BIOS": {"version": "2.4.1"}},
}


@pytest.fixture
def snapshot(scriptlet, rack_context):
    """A function that compares two states; it returns how the step ended."""

    def compare(before, now, **params):
        if before is not None:
            rack_context["snapshot.taken_v1"] = before
        for key, value in now.items():
            rack_context[key] = value
        return rack_context.run(scriptlet("generic.snapshot").Snapshot, {"keys": [*BEFORE], **params})

    return compare


class TestSnapshot:
    def test_the_first_one_is_only_taken(self, snapshot, rack_context):
        assert snapshot(None, NOW).verdict == "passed"
        assert rack_context["snapshot.taken_v1"] == NOW
        assert "snapshot.differences_v1" not in rack_context

    def test_counters_and_the_order_of_lists_do_not_matter(self, snapshot, rack_context):
        assert snapshot(BEFORE, {**NOW, "redfish.firmware_v1": BEFORE["redfish.firmware_v1"]}).verdict == "passed"
        assert rack_context["snapshot.differences_v1"] == []

    def test_a_difference_that_nobody_expects(self, snapshot, rack_context):
        outcome = snapshot(BEFORE, NOW)
        assert (outcome.verdict, outcome.reason) == (
            "failed",
            "redfish.firmware_v1.BIOS.version was 2.4.0, is 2.4.1: undo it, or name it in `expected`",
        )
        assert rack_context["snapshot.taken_v1"] == NOW

    @pytest.mark.parametrize("value", ["2.4.1", "*"])
    def test_an_expected_difference(self, snapshot, rack_context, value):
        assert snapshot(BEFORE, NOW, expected={"redfish.firmware_v1.*": value}).verdict == "passed"
        field = "redfish.firmware_v1.BIOS.version"
        assert rack_context["snapshot.differences_v1"] == [
            {"field": field, "before": "2.4.0", "now": "2.4.1", "do": ""}
        ]
        assert rack_context.measured["expected"] == 1

    def test_a_change_that_did_not_happen(self, snapshot):
        outcome = snapshot(BEFORE, BEFORE, expected={"redfish.firmware_v1.BIOS.version": "2.4.1"})
        assert outcome.reason == (
            "redfish.firmware_v1.BIOS.version was 2.4.0, is 2.4.0: "
            "must be 2.4.1: the change did not happen here, or not as it should"
        )

    def test_what_is_gone_and_what_is_new(self, snapshot):
        outcome = snapshot(BEFORE, {**BEFORE, "links.ports_v1": {"swp2": {"mtu": 9000}}}, ignore=["*.downs"])
        assert outcome.reason.startswith("links.ports_v1.swp1.mtu was 9000, is missing: undo it")
        assert "links.ports_v1.swp2.mtu was missing, is 9000: undo it" in outcome.reason

    def test_many_differences_are_counted(self, snapshot):
        many = {"links.ports_v1": {f"swp{number}": number for number in range(30)}}
        assert snapshot({}, many).reason.endswith("; and 20 more")

    def test_nothing_was_taken(self, snapshot):
        assert snapshot(None, {}).reason.startswith("none of links.ports_v1, fabric.routes_v1, redfish.firmware_v1 was")

    def test_entries_of_lists_without_a_name_have_their_place(self, scriptlet):
        fields = scriptlet("generic.snapshot").fields
        assert fields({"a": [{"x": 1}, {"name": "y"}], "b": [], "c": [{"port": 1, "up": True}]}) == {
            "a.0.x": 1, "a.1.name": "y", "b": [], "c.1.port": 1, "c.1.up": True,
        }  # fmt: skip


class TestTestedParts:
    PARTS = {"bmc": {"bmc_address": "", "bmc_user": ""}, "cabling": {"cables": {"eth1": "leaf1:swp3"}}, "storage": {}}

    @pytest.fixture
    def covered(self, scriptlet, rack_context):
        """A function that asks which parts are tested."""
        return lambda **params: rack_context.run(
            scriptlet("generic.tested_parts").TestedParts, {"parts": self.PARTS, **params}
        )

    def test_a_part_without_what_it_needs_fails_and_is_named(self, covered, rack_context):
        outcome = covered()
        assert outcome.verdict == "failed"
        assert outcome.reason == (
            "not tested: bmc: no bmc_address, no bmc_user in the inventory. Add it to the inventory and to --limit, "
            "or say that it is left out: --param 'leave_out=[bmc]'"
        )
        told = covered(left_out_by="acceptance_leave_out: [PARTS]").reason
        assert told.endswith("or say that it is left out: acceptance_leave_out: [bmc]")
        assert rack_context["coverage.parts_v1"] == {
            "bmc": "no bmc_address, no bmc_user in the inventory",
            "cabling": "tested",
            "storage": "tested",
        }

    def test_a_part_may_be_left_out(self, covered, rack_context):
        assert covered(leave_out=["bmc", "storage"]).verdict == "passed"
        assert rack_context["coverage.parts_v1"]["storage"] == "left out by leave_out"

    def test_a_part_that_is_not_there(self, covered, rack_context):
        assert covered(leave_out=["bcm"]).reason.endswith("leave_out: there is no part bcm: did you mean bmc?")
        assert set(rack_context["coverage.parts_v1"].values()) == {"not tested: leave_out has a mistake"}
        assert covered(leave_out=["x"]).reason.endswith("no part x: expected one of bmc, cabling, storage")
        assert covered(leave_out=["pdu", "bmc"], known=["pdu", "bmc"]).verdict == "passed"
