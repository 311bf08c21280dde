# SPDX-License-Identifier: GPL-3.0-or-later

"""The parts of the page whose figures other benchmarks make and leave in docs/NAME.json, each in Markdown."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[4] / "docs"
OURS = "ours"  # the name of our server among the contestants
WRITES, SLOWEST, REACHED = 10_000, 10.0, 30.0  # goals: writes a second, milliseconds of writes and of events
BESIDE = 50.0  # and milliseconds of a write beside a greedy reader
PAINT, SEARCH = 1.0, 0.1  # goals, in seconds
NUMBERS = "| writes/s | p50 ms | p99 ms | reads/s | p50 ms | p99 ms |"
PAIRS = (("one", "parts"), ("one_wide", "parts_wide"))  # one controller, and the parts that do the same work
INVENTORY_WAYS = {
    "whole": "Ansible reads all",
    "split": "`run --across` reads all and splits it",
    "part": "Ansible reads a part",
}
MANY = 50_000  # hosts

Figures = Mapping[str, Any]


def about(**more: Any) -> dict[str, Any]:
    """When and where figures are made; called before anything is measured."""
    made = datetime.now(UTC).isoformat(timespec="seconds")
    return {"made": made, "cores": os.cpu_count(), "load": round(os.getloadavg()[0], 1), **more}


def show(name: str, figures: Figures, *, write: bool) -> None:
    """Print a part of the page, and write its figures where that is asked for."""
    if write:
        (DOCS / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n")
    sys.stdout.write(SECTIONS[name](figures))


def stored(name: str) -> str:
    """A part of the page with the figures that were written last; empty where there are none."""
    path = DOCS / f"{name}.json"
    return SECTIONS[name](json.loads(path.read_text())) if path.is_file() else ""


def results(figures: Figures) -> str:
    """Commands that read a large run."""
    head = (
        f"`tests/bench/results_speed.py` made these on {figures['made']}, with {figures['results']:,} results in a run "
        f"unless it says otherwise: CPU seconds with Python's start, medians of {figures['rounds']}."
    )
    goals = ("" if goal is None else f"{goal:g}, {_said(seconds <= goal)}" for _name, seconds, goal in figures["rows"])
    rows = [(name, f"{seconds:.2f}", goal) for (name, seconds, _goal), goal in zip(figures["rows"], goals, strict=True)]
    return _section("Reports and analysis", head, _table("| command | seconds | goal |", rows))


def pages(figures: Figures) -> str:
    """Pages in a browser."""
    head = (
        f"`tests/bench/pages_speed.py` made these on {figures['made']}, on {figures['cores']} cores with a load of "
        f"{figures['load']} before it began: {figures['hosts']:,} hosts x {figures['steps']} steps in SQLite, opened "
        "in Chromium by somebody who has nothing of it. Seconds until the first paint: the first visit, and after the "
        f"stroke the median of {figures['rounds']} more. ARA shows 100 of the results, and searches by a new page."
    )
    name, ours, ara = figures["filter"]
    rows = [
        (page, *(f"{times[0]:.2f} / {times[1]:.2f}" if times else "" for times in servers))
        for page, *servers in figures["pages"]
    ]
    slowest = max(figures["pages"], key=lambda row: max(row[1]))
    seconds = max(slowest[1])
    goals = (
        f"- every page is painted within {PAINT:g} s: {seconds:.2f} s ({slowest[0]}), {_said(seconds <= PAINT)}",
        f"- results are filtered within {SEARCH:g} s: {ours:.3f} s, {_said(ours <= SEARCH)}",
    )
    table = _table("| page | ours | ARA |", [*rows, (f"{name}, filtered", f"{ours:.3f}", f"{ara:.3f}")])
    return _section("Pages", head, table, "\n".join(goals))


def server(figures: Figures) -> str:
    """The context server and the live bus."""
    missing = f" Not installed, so not measured: {', '.join(figures['missing'])}." if figures["missing"] else ""
    head = (
        f"`tests/bench/server_speed.py` made these on {figures['made']}, on {figures['cores']} cores with a load of "
        f"{figures['load']} before it began: medians of {figures['rounds']}.{missing} {figures['connections']} clients "
        "write a key each, based on the version that they have written last, and read it. They, and all listeners, are "
        "one program on the same cores. `ours, fsync` answers once the disk has it."
    )
    changes = f"| a change for {figures['listeners']:,} listeners | p50 ms | p99 ms | last ms |"
    parts = (
        _table(f"| server {NUMBERS}", _formed(figures["requests"], "{:,.0f}", "{:.2f}", "{:.2f}")),
        _table(changes, _formed(figures["reached"], "{:.1f}")),
        *_readers(figures),
        _table("| call of the live bus | p50 ms | p99 ms |", _formed(figures["calls"], "{:.2f}")),
        "\n".join(_server_goals(figures)),
    )
    return _section("Context server", head, *parts)


def _readers(figures: Figures) -> Iterable[str]:
    """How long writes take beside readers, and the server's end; nothing where that was not measured yet."""
    if "readers" in figures:
        *rows, (_name, ended, *_more) = figures["readers"]
        head = f"| a write at {figures['keys']:,} keys, beside a reader of | p50 ms | p99 ms | max ms | MiB more |"
        yield _table(head, _formed(rows, "{:.1f}"))
        yield f"With readers in the middle the server ends {ended / 1000:.1f} s after SIGTERM."


def _server_goals(figures: Figures) -> Iterable[str]:
    requests, listeners = ({row[0]: row[1:] for row in figures[name]} for name in ("requests", "reached"))
    writes, _p50, slowest = requests[OURS][:3]
    reached = listeners[OURS][1]
    yield f"- at least {WRITES:,} writes a second: {writes:,.0f}, {_said(writes >= WRITES)}"
    yield f"- at p99 under {SLOWEST:g} ms: {slowest:.2f} ms, {_said(slowest < SLOWEST)}"
    yield f"- listeners reached within {REACHED:g} ms: {reached:.1f} ms for 99 in 100, {_said(reached <= REACHED)}"
    if "readers" in figures:
        worst = max(row[2] for row in figures["readers"][:-1])
        goal = f"- writes beside a greedy reader at {figures['keys']:,} keys, at p99 under {BESIDE:g} ms"
        yield f"{goal}: {worst:.1f} ms, {_said(worst < BESIDE)}"


def group(figures: Figures) -> str:
    """Runs in several parts."""
    rows = {name: (title, *numbers) for name, title, *numbers in figures["rows"]}
    parts = figures["parts"]
    head = (
        f"`tests/bench/group_speed.py` made these on {figures['made']}, on {figures['cores']} cores with a load of "
        f"{figures['load']} before it began: {parts * figures['hosts']} hosts x {figures['steps']} steps, by one "
        f"controller, and by {parts} that each have {figures['hosts']} hosts, start together and share a store in "
        "SQLite. All of them and the hosts share the cores of one machine, so this is what dividing a run costs, not "
        f"its gain. Seconds, medians of {figures['rounds']}. Where parts meet, the server's CPU is in that of the "
        "controllers."
    )
    ratios = []
    for one, several in PAIRS:
        wall, controllers = (rows[several][at] / rows[one][at] for at in (1, 2))
        title = rows[one][0].partition(", ")[2]
        costs = f"{wall:.2f} times the time, {controllers:.2f} times the CPU"
        ratios.append(f"- {parts} parts beside one controller{f' ({title})' if title else ''}: {costs}")
    table = _table("| run | time | CPU, controllers | CPU, hosts |", _formed(rows.values(), "{:.2f}"))
    return _section("A run in several parts", head, table, "\n".join(ratios))


def one_process(figures: Figures) -> str:
    """Both ways to run a stage on many hosts."""
    head = (
        f"`tests/bench/one_process.py` made these on {figures['made']}, on {figures['cores']} cores with a load of "
        f"{figures['load']} before it began. `one_process_from: 0` is a process for each host, the default one process "
        f"for all. Hosts and controller share the cores. Medians of {figures['rounds']}, taken in turns; the memory is "
        "that of all processes of the controller at its peak."
    )
    rows = [
        (
            f"{hosts} x {f'{seconds} s' if seconds else f'{steps} short steps'}",
            str(forks),
            way,
            *map("{:.1f}".format, more),
        )
        for hosts, steps, seconds, forks, way, *more in figures["rows"]
    ]
    titles = "| hosts x work | forks | way | time, s | CPU, s | CPU a host, ms | memory, MiB |"
    return _section("One process for all hosts", head, _table(titles, rows))


def inventory(figures: Figures) -> str:
    """Reading a large inventory, as a whole and in parts."""
    parts, found = figures["parts"], {(hosts, name): numbers for hosts, name, *numbers in figures["rows"]}
    sizes = [*dict.fromkeys(hosts for hosts, _name in found)]
    below, above = sizes[-2:]
    for name in INVENTORY_WAYS:  # what grows with the hosts does so evenly
        slopes = [
            (more - less) / (above - below) for less, more in zip(found[below, name], found[above, name], strict=True)
        ]
        found[MANY, name] = [
            more + (MANY - above) * slope for more, slope in zip(found[above, name], slopes, strict=True)
        ]
    head = (
        f"`tests/bench/inventory_split.py` made these on {figures['made']}, on {figures['cores']} cores with a load of "
        f"{figures['load']} before it began: racks of 40 hosts with six variables each, in YAML. `run --across` reads "
        f"the whole once, here, and each of {parts} controllers reads its part, in JSON. CPU seconds and MiB of one "
        f"process, medians of {figures['rounds']}; those of {MANY:,} hosts are the line through the last two sizes."
    )
    rows = [
        (f"{hosts:,}{' (computed)' if hosts == MANY else ''}", title, *map("{:.1f}".format, found[hosts, name]))
        for hosts in (*sizes, MANY)
        for name, title in INVENTORY_WAYS.items()
    ]
    whole, part = found[above, "whole"][0], found[above, "part"][0]
    saved = f"- a controller with a part of {above:,} hosts: {whole / part:.1f} times less CPU to read its inventory"
    return _section("A large inventory", head, _table("| hosts | what | CPU, s | memory, MiB |", rows), saved)


def _section(title: str, *parts: str) -> str:
    return "\n\n".join([f"## {title}", *parts]) + "\n"


def _table(head: str, rows: Iterable[Sequence[str]]) -> str:
    return "\n".join([head, "| --- " * (head.count("|") - 1) + "|", *(f"| {' | '.join(row)} |" for row in rows)])


def _formed(rows: Iterable[Sequence[Any]], *forms: str) -> Iterable[Sequence[str]]:
    """Rows of a name and numbers, which have these forms again and again."""
    for name, *numbers in rows:
        yield name, *(forms[at % len(forms)].format(number) for at, number in enumerate(numbers))


def _said(is_reached: bool) -> str:
    return "reached" if is_reached else "**not reached**"


SECTIONS: Mapping[str, Callable[[Figures], str]] = {
    "results": results,
    "pages": pages,
    "server": server,
    "group": group,
    "one_process": one_process,
    "inventory": inventory,
}
