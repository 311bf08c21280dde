# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings of a benchmark, as data and as a page of documentation."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from ansible_collections.rack.recipes.tests.bench.fleet.benchmark_types import MANY, Run, Size
from ansible_collections.rack.recipes.tests.bench.fleet.page import stored_sections
from ansible_collections.rack.recipes.tests.bench.fleet.page.medians_and_ratios import (
    BIG,
    GOALS,
    Goal,
    Spread,
    by_round,
    cpu,
    cpu_of_more_hosts,
    floor_limit,
    ratio,
    spread,
    wall,
)

HEAD = """# Performance

Each of H hosts runs S steps, one after the other; a step is a shell script of two `printf`. All contestants do this
over the same SSH servers, in turns. The servers are loopback addresses of one machine: controller and hosts share its
cores, and there is no network between them. So trust the ratios, not the seconds. A figure is the median of the rounds,
with the lowest and the highest in brackets. A ratio is that of two runs of one round. Warm-ups, and runs whose work was
not done, are left out.

`make soak` writes this page. `performance.json` has every run, `tests/bench/README.md` the method.
"""
MANY_HOSTS = """## Many hosts

`rack-recipes run`, with as many hosts at once as it chooses, and cold connections. Memory and CPU include Ansible, its
workers and ssh; shared memory counts once. A further host is one more than in the row above.

"""
MISSING = "-"
JOINED = "benches joined"


@dataclass(frozen=True, slots=True)
class Findings:
    """All that one run of the bench found; `contestants` maps names to titles, `versions` names to packages."""

    started: str
    ended: str
    rounds: int
    machine: Mapping[str, str]
    contestants: Mapping[str, str]
    versions: Mapping[str, Mapping[str, str]]
    runs: Sequence[Run]

    def sizes(self, *, many: bool = False) -> list[Size]:
        """The sizes of the counted runs, the smallest first; with `many` those of the runs over many hosts."""
        return sorted({run.size for run in self.runs if run.round and (run.contestant == MANY) == many})


def to_json(findings: Findings) -> str:
    """The raw figures."""
    return json.dumps(asdict(findings), indent=1) + "\n"


def from_json(text: str) -> Findings:
    """The findings that `to_json` wrote."""
    held: dict[str, Any] = json.loads(text)
    return Findings(**{**held, "runs": tuple(Run(**run) for run in held["runs"])})


def joined(parts: Sequence[Findings]) -> Findings:
    """Join the figures of several benchmarks. Rounds are renumbered, since ratios are taken within a round only.

    Runs over many hosts are compared with no others: those of a later benchmark replace those of an earlier one.
    """
    first = parts[0]
    if len(parts) == 1:
        return first
    runs, behind = list(first.runs), first.rounds
    for part in parts[1:]:
        if MANY in part.contestants:
            runs = [run for run in runs if run.contestant != MANY]
        runs += [replace(run, round=run.round + behind) for run in part.runs if run.round]
        behind += part.rounds
    times = [time for part in parts for time in _times(part)]
    machine = {**first.machine, JOINED: f"{len(times)}: {'; '.join(times)}"}
    names = {name: title for part in parts for name, title in part.contestants.items()}
    versions = {name: packages for part in reversed(parts) for name, packages in part.versions.items()}
    return replace(
        first,
        ended=parts[-1].ended,
        rounds=behind,
        machine=machine,
        contestants=names,
        versions=versions,
        runs=tuple(runs),
    )


def _times(part: Findings) -> list[str]:
    """When it was measured: from when to when, of each benchmark that it is joined of."""
    before = part.machine.get(JOINED, "").partition(": ")[2]
    return before.split("; ") if before else [f"{part.started} to {part.ended}"]


def page(findings: Findings) -> str:
    """The whole page, in Markdown."""
    sections = (machine, contestants, goals, bounds, growth, times, rarer, errors)
    texts = (HEAD, *(section(findings) for section in sections))
    texts += tuple(map(stored_sections.stored, stored_sections.SECTIONS))
    return "\n".join(text for text in texts if text)


def machine(findings: Findings) -> str:
    """When and where it was measured."""
    facts = {
        "from": findings.started,
        "to": findings.ended,
        "counted rounds": str(findings.rounds),
        **findings.machine,
        "runnable processes before a run": shown(spread([run.load for run in findings.runs if run.round])),
    }
    return "## When and where\n\n" + table(("", ""), facts.items())


def contestants(findings: Findings) -> str:
    """Who takes part, in which releases."""
    rows = [
        (title, ", ".join(f"{package} {release}" for package, release in findings.versions.get(name, {}).items()))
        for name, title in findings.contestants.items()
    ]
    return "## Contestants\n\n" + table(("contestant", "releases"), rows)


def goals(findings: Findings) -> str:
    """Each goal, what was measured, and whether it is reached."""
    rows = [goal_row(goal, goal.value(findings.runs, goal.size)) for goal in GOALS]
    return "## Goals\n\n" + table(("goal", "hosts x steps", "wanted", "measured", ""), rows)


def goal_row(goal: Goal, found: Spread | None) -> tuple[str, ...]:
    """One goal's row."""
    wanted = f"at {'most' if goal.at_most else 'least'} {goal.wanted:g} {goal.unit}".strip()
    if found is None:
        return goal.text, str(goal.size), wanted, MISSING, "not measured"
    return goal.text, str(goal.size), wanted, shown(found), "reached" if goal.reached(found) else "**not reached**"


def bounds(findings: Findings) -> str:
    """Return the lower bounds of time at the largest size, which show why a goal may be out of reach."""
    runs, cores = findings.runs, int(findings.machine["cores"].split()[0])
    used = spread([value / cores for value in by_round(runs, "ours", BIG, cpu).values()])
    found = {
        "pyinfra / floor: the most that anything over SSH can be ahead of pyinfra": ratio(
            runs, "pyinfra", "floor", BIG
        ),
        "Mitogen / floor": ratio(runs, "mitogen", "floor", BIG),
        "plain Ansible / floor": ratio(runs, "plain", "floor", BIG),
        "this project's CPU, of controller and hosts, spread evenly over all cores, s": used,
        "2 x floor + no-op playbook, s": floor_limit(runs, BIG),
    }
    rows = [(text, shown(value)) for text, value in found.items() if value]
    return f"## Bounds at {BIG}\n\n" + table(("", "measured"), rows) if rows else ""


def growth(findings: Findings) -> str:
    """How time, CPU and memory grow with the number of hosts. Empty where that was not measured."""
    sizes = findings.sizes(many=True)
    columns: dict[str, Callable[[Run], float | None]] = {
        "wall time, s": wall,
        "CPU on the controller, s": lambda run: run.controller_cpu,
        "a host, ms": lambda run: 1000 * run.controller_cpu / run.hosts,
        "largest process, MiB": lambda run: run.max_rss_kib / 1024,
        "all processes, MiB": lambda run: run.memory_kib and run.memory_kib / 1024,
        "hosts at once": lambda run: run.at_once,
    }

    def found(size: Size, of: Callable[[Run], float | None]) -> str:
        return shown(spread([*by_round(findings.runs, MANY, size, of).values()]))

    rows = [
        (
            str(size),
            *(found(size, of) for of in columns.values()),
            shown(cpu_of_more_hosts(findings.runs, before, size)),
        )
        for before, size in pairwise([None, *sizes])
        if size
    ]
    return MANY_HOSTS + table(("hosts x steps", *columns, "CPU of a further host, ms"), rows) if rows else ""


def times(findings: Findings) -> str:
    """The tables of times and of ratios, a row a size, a column a contestant."""
    runs, names = findings.runs, [name for name in findings.contestants if name != MANY]

    def figure(value: Callable[[Run], float | None]) -> Callable[[str, Size], Spread | None]:
        return lambda name, size: spread(list(by_round(runs, name, size, value).values()))

    tables: dict[str, Callable[[str, Size], Spread | None]] = {
        "Wall time, s": figure(wall),
        "CPU on the controller, s": figure(lambda run: run.controller_cpu),
        "CPU on all hosts, s": figure(lambda run: run.target_cpu),
        "The recorder's part of the CPU, s": figure(lambda run: run.recorder_cpu),
        "Largest process of the controller, MiB": figure(lambda run: run.max_rss_kib / 1024),
        "How many times as long as this project": lambda name, size: ratio(runs, name, "ours", size),
        "How many times as fast as plain Ansible": lambda name, size: ratio(runs, "plain", name, size),
        "How many times as long as the floor": lambda name, size: ratio(runs, name, "floor", size),
    }
    written = {title: matrix(findings.sizes(), names, cell) for title, cell in tables.items()}
    return "\n".join(f"## {title}\n\n{text}" for title, text in written.items() if text)


def matrix(sizes: Sequence[Size], names: Sequence[str], cell: Callable[[str, Size], Spread | None]) -> str:
    """A table of sizes by contestants, those without any figure left out; empty where none has one."""
    cells = {name: [shown(cell(name, size)) for size in sizes] for name in names}
    filled = {name: column for name, column in cells.items() if set(column) != {MISSING}}
    rows = zip(map(str, sizes), *filled.values(), strict=True)
    return table(("hosts x steps", *filled), rows) if filled else ""


def rarer(findings: Findings) -> str:
    """Where a contestant ran in fewer rounds than the others."""
    counted = Counter((run.contestant, run.size) for run in findings.runs if run.round and not run.error)
    rows = [(name, str(size), str(count)) for (name, size), count in sorted(counted.items()) if count < findings.rounds]
    return "## Fewer rounds\n\n" + table(("contestant", "hosts x steps", "rounds"), rows) if rows else ""


def errors(findings: Findings) -> str:
    """The runs that count for nothing, with the reason."""
    rows = [
        (run.contestant, str(run.size), str(run.round), run.error.replace("\n", " ").replace("|", "/"))
        for run in findings.runs
        if run.error
    ]
    return "## Runs in error\n\n" + table(("contestant", "hosts x steps", "round", "what"), rows) if rows else ""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def shown(found: Spread | None) -> str:
    """A spread as text: the median, and the lowest and highest where there are several values."""
    if found is None:
        return MISSING
    if found.count == 1:
        return number(found.median)
    return f"{number(found.median)} ({number(found.low)} to {number(found.high)})"


def number(value: float) -> str:
    """Format a number with three significant digits, and with more only before the decimal point."""
    size = abs(value)
    return f"{value:.0f}" if size >= 100 else f"{value:.1f}" if size >= 10 else f"{value:.2f}"
