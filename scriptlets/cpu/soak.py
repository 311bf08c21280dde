# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verified work for all cores, round after round for a given time: faults, and whether the cores become slower."""

from __future__ import annotations

import time
from itertools import combinations
from statistics import median

from rack_recipes import Failed, Scriptlet
from scriptlets.cpu.stress import ADVICE, ERROR, FAILED, SUCCESS, metrics, stressed
from scriptlets.tools.limits import judge

FEWEST = 5
"""Rounds from which on a drift is told: fewer points make any line."""

MOST = 200
"""Rounds whose rates are compared pair by pair; of more rounds these are taken at equal distances."""


class CpuSoak(Scriptlet):
    """Whether cores compute right for hours, round after round, and whether they become slower.

    A round is `stress-ng --cpu --verify`; one with a wrong result is a fault. The drift is the change of the rate from
    the first round to the last, by the line of Theil and Sen: the median of the slopes between all pairs of rounds
    (Sen 1968, doi:10.1080/01621459.1968.10480934). It is told from five rounds on.
    """

    options = {
        "seconds": {
            "type": "float",
            "default": 3600,
            "description": "For how long rounds begin; the last one is ended",
            "unit": "s",
        },
        "round_seconds": {
            "type": "int",
            "default": 60,
            "max": 86_400,
            "description": "How long a round lasts",
            "unit": "s",
        },
        "workers": {
            "type": "int",
            "default": 0,
            "description": "On how many cores; 0 is all of them",
            "unit": "cores",
        },
        "method": {
            "type": "str",
            "default": "all",
            "description": "One of stress-ng's methods for the processor; `all` takes one after the other",
        },
        "stop_at_first": {
            "type": "bool",
            "default": False,
            "description": "Whether the first fault ends the rounds; else all faults are counted",
        },
        "max_loss_percent": {
            "type": "float",
            "description": "How much slower the cores may become; by default that is only measured",
            "unit": "%",
        },
    }
    reads = ()
    writes = {
        "cpu.soak_v1": (
            "`rounds`, `seconds`, `faults` (each with `at_s`, the seconds before it, and what was wrong), and "
            "`drift_percent`, null for fewer than five rounds"
        )
    }
    needs = ("stress-ng 0.15 or newer (Debian: stress-ng)",)
    verdicts = {
        "failed": "a round had a wrong result or did not end well, or the cores became slower than allowed",
        "error": "stress-ng is missing, or told no metrics",
    }
    example = """
        - name: soak
          module: cpu.soak
          args: {seconds: 28800, max_loss_percent: 10}
          timeout: 30000
    """

    def validate(self, ctx, params):
        if params["round_seconds"] < 1 or params["seconds"] <= 0:
            raise ValueError("seconds must be above 0, and round_seconds at least 1")

    def run(self, ctx, params):
        rounds = list(soak(params))
        faults = [each for each in rounds if each["fault"]]
        rates = [(each["at_s"], each["bogo_ops_per_s"]) for each in rounds if not each["fault"]]
        drift = drift_percent(rates) if len(rates) >= FEWEST else None
        seconds = rounds[-1]["at_s"] + params["round_seconds"]
        ctx.set("cpu.soak_v1", {"rounds": len(rounds), "seconds": seconds, "faults": faults, "drift_percent": drift})
        ctx.measure("rounds", len(rounds))
        if rates:
            ctx.measure("bogo_ops", median(rate for _at, rate in rates), "1/s")
        wrong = _judge_faults(ctx, faults, rounds) + _judge_drift(ctx, drift, params)
        if wrong:
            raise Failed("; ".join(wrong))


def soak(params):
    """Run the rounds; yields for each when it began (s), its rate (1/s, None after a fault), and its fault, if any."""
    started = time.monotonic()
    work = {"seconds": params["round_seconds"], "workers": params["workers"], "method": params["method"]}
    while True:
        at = time.monotonic() - started
        results, log = stressed(work)
        said = fault_of(log)
        rate = None if said else metrics(results)["bogo_ops_per_s"]
        yield {"at_s": round(at, 1), "bogo_ops_per_s": rate, "fault": said}
        if time.monotonic() - started >= params["seconds"] or (said and params["stop_at_first"]):
            return


def fault_of(log):
    """What was wrong in a round by its log; empty where nothing was."""
    wrong = FAILED.findall(log)
    if wrong:
        return f"wrong results under load: {wrong[0]} ({len(wrong)} in all)"
    if not SUCCESS.search(log):
        return f"stress-ng did not end well: {'; '.join(ERROR.findall(log)[:3]) or log[-200:]}"
    return ""


def drift_percent(rates):
    """The change from the first to the last of pairs (seconds, rate), in percent of the rate at the beginning."""
    few = rates[:: -(-len(rates) // MOST)]
    slope = median((late - early) / (then - at) for (at, early), (then, late) in combinations(few, 2) if then > at)
    begin = median(rate - slope * at for at, rate in few)
    return round(100 * slope * (few[-1][0] - few[0][0]) / begin, 2) if begin else 0.0


def _judge_faults(ctx, faults, rounds):
    if ctx.check("faults", len(faults), "rounds", max=0) == "passed":
        return []
    first = faults[0]
    return [f"{len(faults)} of {len(rounds)} rounds, the first after {first['at_s']:g} s: {first['fault']}: {ADVICE}"]


def _judge_drift(ctx, drift, params):
    limit = params["max_loss_percent"]
    if drift is None or judge(ctx, "drift", drift, "%", min=None if limit is None else -limit) == "passed":
        return []
    advice = "look at the temperature and the fans, and for what else runs"
    return [f"the cores became {-drift:g} % slower, at most {limit:g} % are allowed: {advice}"]
