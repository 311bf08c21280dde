# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a device's own cables are like, as `cabling.judge_links` has found, and what to do about them."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet

MOST = 8  # findings that a reason spells out; all are in the context


class OwnLinks(Scriptlet):
    """Fails where a cable of this device is not as planned, with what to do and what each source says.

    A cable that could not be judged is an error.
    """

    options = {
        "device": {
            "type": "str",
            "required": True,
            "description": "The name that this device has in the plan",
        },
    }
    reads = ("cabling.judged_v1",)
    writes = {
        "links.cabling_v1": ("For each port with a finding `peer` and `peer_port`, `expected_peer` and `expected_port`")
    }
    needs = ("cabling.judged_v1 of an earlier step (cabling.judge_links)",)
    verdicts = {
        "failed": "a cable of this device is not as planned",
        "error": "the cables were not judged, or some of them could not be",
    }
    example = """
        - name: switch_ports
          module: cabling.switch_ports
          hosts: switches
          delegate_to: localhost
          args: {url: "{{ switch_url }}", api: nvue}
        - name: judge
          module: cabling.judge_links
          scope: run
          depends_on: [switch_ports]
          args:
            cables: {node7: {mlx5_3: "leaf4:swp21"}}
        - name: own_links
          module: cabling.own_links
          hosts: nodes
          delegate_to: localhost
          depends_on: [judge]
          args: {device: "{{ inventory_hostname }}"}
    """

    def run(self, ctx, params):
        judged = ctx.get("cabling.judged_v1")
        if judged is None:
            raise ValueError("the cables were not judged: look at the step that runs cabling.judge_links")
        own = judged.get(params["device"], {"good": 0, "of": 0, "findings": [], "unverified": []})
        ctx.set("links.cabling_v1", {each["port"]: _described(each) for each in own["findings"] if each.get("planned")})
        ctx.check("links_as_planned", own["good"], "links", min=own["of"])
        if own["findings"]:
            raise Failed("; ".join(_said(own)))
        if own["unverified"]:
            open_ends = own["unverified"]
            raise ValueError(f"{len(open_ends)} of {own['of']} links could not be judged: {_few(open_ends)}")


def _described(finding):
    """A port in the words of the analysis of links."""
    peer = dict(zip(("peer", "peer_port"), finding["seen"]))
    return {**peer, **dict(zip(("expected_peer", "expected_port"), finding["planned"]))}


def _said(own):
    """What is wrong, with what to do."""
    for each in own["findings"][:MOST]:
        cable = f" ({each['cable']})" if each.get("cable") else ""
        place = f"{each['port']}{cable}: expected {each['expected']}, found " if each["port"] else ""
        yield f"{place}{each['found']}: {each['do']} [{'; '.join(each['evidence'][:3])}]"
    if len(own["findings"]) > MOST:
        yield f"and {len(own['findings']) - MOST} more"
    if own["unverified"]:
        yield f"not judged: {_few(own['unverified'])}"


def _few(texts):
    return "; ".join(texts[:2]) + (f"; and {len(texts) - 2} more" if len(texts) > 2 else "")
