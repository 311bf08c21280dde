# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a figure is spread over all hosts, and which of them lie far from the others."""

from __future__ import annotations

from statistics import fmean, median

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.limits import judge

NAMED = 10  # hosts in a reason


class Spread(Scriptlet):
    """How a figure is spread over all hosts, and which of them lie far from the median.

    It judges nothing unless it has a limit.
    """

    options = {
        "key": {
            "type": "str",
            "required": True,
            "description": "The key of the context that has the figure",
        },
        "path": {
            "type": "str",
            "default": "",
            "description": "The place of the number in its value, as in `cpu.cores`",
        },
        "unit": {
            "type": "str",
            "default": "",
            "description": "The unit of the figure",
        },
        "max_deviation": {
            "type": "float",
            "description": "How far a host may be from the median, in this unit",
            "unit": "that of `unit`",
        },
        "max_percent": {
            "type": "float",
            "description": "The same, as a part of the median",
            "unit": "%",
        },
        "min_hosts": {
            "type": "int",
            "default": 2,
            "description": "How many hosts must have the figure",
            "unit": "hosts",
            "source": "one host has no others to compare it with",
        },
    }
    reads = None
    writes = {
        "generic.spread_v1": (
            "`n` (hosts), mean, median, mad (the median distance to the median), min and max (in `unit`), "
            "min_host and max_host"
        )
    }
    needs = ("the key, set by an earlier step on the hosts",)
    verdicts = {
        "failed": "a host is further away than a limit",
        "error": "too few hosts have the key, or one has no number there",
    }
    example = """
        - name: memory_usage
          type: shell
          module: memory.usage
          args: {max_percent: 95}
        - name: same_memory
          module: generic.spread
          scope: run
          depends_on: [memory_usage]
          args: {key: memory.usage_v1, path: total_bytes, unit: B, max_percent: 1}
    """
    scope = "run"

    def run(self, ctx, params):
        figures = {host: number_at(host, value, params) for host, value in ctx.values(params["key"]).items()}
        if len(figures) < max(1, params["min_hosts"]):
            raise ValueError(f"{len(figures)} hosts have {params['key']}, at least {params['min_hosts']} are needed")
        found = spread(figures)
        ctx.set("generic.spread_v1", found)
        for name in ("mean", "median", "mad", "min", "max"):
            ctx.measure(name, found[name], params["unit"])
        wrong = [host for host in sorted(figures) if _is_far(ctx, host, figures[host], found["median"], params)]
        if wrong:
            raise Failed(_said(wrong, figures, found["median"], params))


def number_at(host, value, params):
    """The number at the path in a host's value. Raises ValueError where there is none."""
    found = value
    for name in filter(None, params["path"].split(".")):
        found = found.get(name) if isinstance(found, dict) else None
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        where = f"{params['key']} {params['path']}".rstrip()
        raise ValueError(f"{host}: {where} is no number: correct key and path, or look at the step that sets it")
    return found


def spread(figures):
    """The statistics of figures by host; of hosts with the same figure the first by name is told."""
    hosts, values = sorted(figures), list(figures.values())
    middle = median(values)
    least, most = min(hosts, key=figures.get), max(hosts, key=figures.get)
    return {
        "n": len(values), "mean": fmean(values), "median": middle,
        "mad": median(abs(value - middle) for value in values),
        "min": figures[least], "min_host": least, "max": figures[most], "max_host": most,
    }  # fmt: skip


def _is_far(ctx, host, figure, middle, params):
    """Judge one host; whether it lies too far from the median."""
    away = abs(figure - middle)
    share = params["max_percent"]
    far = [judge(ctx, f"deviation.{host}", away, params["unit"], max=params["max_deviation"])]
    if share is not None:
        far.append(ctx.check(f"distance.{host}", away, params["unit"], max=abs(middle) * share / 100))
    return "failed" in far


def _said(wrong, figures, middle, params):
    unit = f" {params['unit']}".rstrip()
    told = ", ".join(f"{host} ({figures[host]:g}{unit})" for host in wrong[:NAMED])
    more = f" and {len(wrong) - NAMED} more" if len(wrong) > NAMED else ""
    where = f"{params['key']} {params['path']}".rstrip()
    return f"{where} of {told}{more} is far from the median ({middle:g}{unit}): compare these hosts with the others"
