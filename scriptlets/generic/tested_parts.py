# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which parts of a test can run on a host: those for which the inventory has what they need."""

from __future__ import annotations

import difflib

from rack_recipes import Failed, Scriptlet

TESTED = "tested"
MISTAKE = "not tested: leave_out has a mistake"


class TestedParts(Scriptlet):
    """Which parts of a recipe are tested, are left out, or lack something in the inventory.

    A part that lacks something and is not left out fails the step: a test of half a rack must not look like one of the
    whole. Steps of a part have the condition `{value: "${coverage.parts_v1.PART}", eq: tested}`. Their reason then says
    what is missing.
    """

    options = {
        "parts": {
            "type": "dict",
            "required": True,
            "description": "For each part what it needs, NAME to value; an empty value is missing",
        },
        "leave_out": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "Parts that are not wanted",
        },
        "known": {
            "type": "list",
            "elements": "str",
            "default": [],
            "description": "The names that `leave_out` may have; by default those of `parts`",
        },
        "left_out_by": {
            "type": "str",
            "default": "--param 'leave_out=[PARTS]'",
            "description": "What a user writes to leave PARTS out, for the reason",
        },
    }
    reads = ()
    writes = {"coverage.parts_v1": "for each part `tested`, or why it is not"}
    needs = ()
    verdicts = {
        "failed": "a part lacks something in the inventory and is not left out",
        "error": "`leave_out` names no part",
    }
    example = """
        - name: complete
          module: generic.tested_parts
          args: {parts: {bmc: {bmc_address: "{{ bmc_address | default('') }}"}}}
          delegate_to: localhost
          continue_on_fail: true
    """

    def validate(self, ctx, params):
        known = params["known"] or list(params["parts"])
        for name in params["leave_out"]:
            if name not in known:
                # Nothing is tested by mistake: one of these parts was not wanted.
                ctx.set("coverage.parts_v1", dict.fromkeys(params["parts"], MISTAKE))
                near = difflib.get_close_matches(name, known, 1)
                hint = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(known)}"
                raise ValueError(f"leave_out: there is no part {name}: {hint}")

    def run(self, ctx, params):
        found = {part: state(part, needs, params["leave_out"]) for part, needs in params["parts"].items()}
        ctx.set("coverage.parts_v1", found)
        lacking = {part: said for part, said in found.items() if said.startswith("no ")}
        if ctx.check("not_tested", len(lacking), "parts", max=0) == "failed":
            raise Failed(told(lacking, params["left_out_by"]))


def state(part, needs, leave_out):
    """What becomes of a part, in words."""
    if part in leave_out:
        return "left out by leave_out"
    missing = [name for name, value in needs.items() if not value]
    return f"no {', no '.join(missing)} in the inventory" if missing else TESTED


def told(lacking, left_out_by):
    """The parts that cannot run, why, and what to do."""
    parts = "; ".join(f"{part}: {why}" for part, why in lacking.items())
    names = ", ".join(lacking)
    left_out = f"or say that it is left out: {left_out_by.replace('PARTS', names)}"
    return f"not tested: {parts}. Add it to the inventory and to --limit, {left_out}"
