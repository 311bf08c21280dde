# SPDX-License-Identifier: GPL-3.0-or-later

"""What recipes/hall.yml and turnup-check say of the same hall."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import HARMLESS
from call_rack_recipes import CHECKOUT, COMMAND, TIMEOUT, call, results

MEASURE = CHECKOUT / "tests/bench/fleet/measuring/measure_command.py"
INVENTORY = Path(__file__).with_name("hall_inventory.py")
SECONDS = "3"  # for one answer, turnup-check's default
ACCESS = {
    "NETBOX_TOKEN": "simulated",
    **{f"TURNUP_{what}_{word}": "audit" for what in ("SWITCH", "BMC") for word in ("USER", "PASS")},
}
# Which of our steps say what a class of turnup-check's says.
STEPS: Mapping[str, frozenset[str]] = {
    "wrong_port": frozenset(("links",)),
    "missing_link": frozenset(("links",)),
    "link_degraded": frozenset(("links",)),
    "unexpected_link": frozenset(("links",)),
    "unreachable_node": frozenset(("server", "switch_ports")),
    "firmware_off_baseline": frozenset(("firmware",)),
    "gpu_count_mismatch": frozenset(("gpus",)),
    "gpu_unhealthy": frozenset(("gpus",)),
    "nvlink_degraded": frozenset(("nvlink",)),
    "node_health_warning": frozenset(("server",)),
}
DARK = "has no power"


@dataclass(frozen=True)
class Finding:
    """What a judge says of a device: `about` is our step, or turnup-check's class; `part` a port or another part."""

    device: str
    about: str
    part: str
    text: str


@dataclass(frozen=True)
class Judgement:
    """All that a judge found, and the seconds that it took, with its start; `cpu` are those of its processes."""

    findings: tuple[Finding, ...]
    seconds: float
    cpu: float

    def says(self, device: str, words: Sequence[str]) -> str:
        """What it says of a device, if that has all the words; "" if not, whichever case they are in."""
        texts = [f"{each.about} {each.part}: {each.text}" for each in self.findings if each.device == device]
        wanted = [re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE) for word in words]
        return next((text for text in texts if all(word.search(text) for word in wanted)), "")


def alone() -> Sequence[str]:
    """Words before a command that let it run as on a machine without other work; none where that is not allowed."""
    words = (shutil.which("chrt") or "", "-r", "10")
    return words if words[0] and call(*words, "true").code == 0 else ()


def _measured(before: Sequence[str], *words: object, **env: str) -> tuple[float, float]:
    """Run a command, which writes to the file `stdout`; returns its seconds, and those of its processes."""
    told = ("--stdout", "stdout", "--stderr", "stderr", "--timeout", str(TIMEOUT))
    done = call(*before, sys.executable, MEASURE, *told, "--", *words, **env)
    assert done.code == 0, done.stderr
    figures = done.answer
    assert figures["exit_code"] in (0, 1), Path("stderr").read_text(encoding="utf-8")
    return figures["wall"], figures["cpu"]


def ours(netbox: str, before: Sequence[str] = ()) -> Judgement:
    """Judge by the recipe. `before` are words before the command, as of `alone`."""
    words = ("run", "recipes/hall.yml", "-i", INVENTORY.with_suffix(".sh"), "-e", f"timeout={SECONDS}")
    spent = _measured(before, sys.executable, "-c", COMMAND, *words, NETBOX_URL=netbox)
    rows = results(json.loads(Path("stdout").read_text(encoding="utf-8"))["run_id"]).steps
    bad = [(host, step, row["reason"]) for (step, host), row in rows.items() if row["verdict"] not in HARMLESS]
    return Judgement(tuple(Finding(host, step, "", reason) for host, step, reason in bad), *spent)


def theirs(netbox: str, before: Sequence[str] = ()) -> Judgement:
    """Judge by turnup-check. `before` are words before the command, as of `alone`."""
    command = Path(sys.executable).with_name("turnup-check")
    words = ("--site", "hall-b", "--intent", netbox, "--timeout", SECONDS, "--out", "turnup.json")
    spent = _measured(before, command, *words, **ACCESS)
    found = json.loads(Path("turnup.json").read_text(encoding="utf-8"))["findings"]
    Path("turnup.json").unlink()
    told = (Finding(each["device"] or "", each["class"], each["interface"] or "", _told(each)) for each in found)
    return Judgement(tuple(told), *spent)


def _told(finding: Mapping[str, str]) -> str:
    return f"{finding['diagnosis']}: {finding['fix']}"


def missed(our: Judgement, their: Judgement) -> list[Finding]:
    """Findings of turnup-check's that ours does not have, on the same device and about the same part."""
    return [each for each in their.findings if not _has(our, each)]


def _has(our: Judgement, finding: Finding) -> bool:
    """Whether ours says this, too. A port that a moved cable is seen at is told with the cable, on its node."""
    steps = STEPS[finding.about]
    if finding.about == "unexpected_link":
        number = re.sub(r"^\D+", "", finding.part)
        where = (f"{finding.device} port {number} ", f"{finding.device} {finding.part}")
        return any(each.about in steps and _any(where, each.text) for each in our.findings)
    own = [each for each in our.findings if each.device == finding.device and each.about in steps]
    if "links" not in steps:
        return bool(own)
    return any(DARK in each.text or _any((f"{finding.part} (",), each.text) for each in own)


def _any(words: Sequence[str], text: str) -> bool:
    return any(word in f"{text} " for word in words)
