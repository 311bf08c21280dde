# SPDX-License-Identifier: GPL-3.0-or-later

"""Split the hosts of a run between controllers, and the inventory with them. Nothing here knows Ansible."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.errors import UsageError, counted, nearest
from rack_recipes.integrations.across.controllers_file import Controller, Controllers
from rack_recipes.natural_order import natural

NAMED = 5  # hosts in a sentence
GROUP_VARS, HOST_VARS = "group_vars", "host_vars"


@dataclass(frozen=True, slots=True)
class PartHosts:
    """The hosts that a controller tests."""

    controller: Controller
    hosts: tuple[str, ...]


def split_hosts(
    file: Controllers,
    hosts: Sequence[str],
    values: Mapping[str, Mapping[str, Any]],
    matched: Mapping[str, Sequence[str]],
    whole: Mapping[str, Any],
) -> list[PartHosts]:
    """The part of each controller that has hosts, in the order of the file.

    `values` has the variables of each host that have no template, `matched` the hosts of each pattern of the file,
    `whole` the inventory as for `part_inventory`.
    Raises UsageError for a host that would be in no part, or in two.
    """
    if any(one.hosts for one in file.each):
        shares = [[host for host in hosts if host in {*matched.get(one.hosts, ())}] for one in file.each]
        _check(file, hosts, shares)
    elif isinstance(file.split, str):
        shares = _by_value(file, file.split, hosts, values, whole)
    else:
        shares = _by_number(file, file.split, hosts)
    return [PartHosts(one, tuple(share)) for one, share in zip(file.each, shares, strict=True) if share]


def _by_number(file: Controllers, most: int | None, hosts: Sequence[str]) -> list[list[str]]:
    """The hosts in their order: parts of one size, or of `most` hosts each, as far as they go."""
    number = len(file.each)
    if most is None:
        ends = [ceil(len(hosts) * end / number) for end in range(number + 1)]
        return [[*hosts[begin:end]] for begin, end in pairwise(ends)]
    if left := hosts[most * number :]:
        each = f"{counted(number, 'controller')} with at most {counted(most, 'host')} each"
        raise UsageError(f"{file.path}: {each} leave {_named(left)} in no part")
    return [[*hosts[begin : begin + most]] for begin in range(0, most * number, most)]


def _check(file: Controllers, hosts: Sequence[str], shares: Sequence[Sequence[str]]) -> None:
    """Raise UsageError for hosts that no pattern of the file takes, or two."""
    owners: dict[str, list[str]] = {host: [] for host in hosts}
    for one, share in zip(file.each, shares, strict=True):
        for host in share:
            owners[host].append(one.name)
    if left := [host for host, names in owners.items() if not names]:
        raise UsageError(f"{file.path}: no controller takes {_named(left)}: widen the `hosts` of one")
    if twice := {host: names for host, names in owners.items() if len(names) > 1}:
        names = " and ".join(next(iter(twice.values())))
        raise UsageError(
            f"{file.path}: {_named([*twice])} would be in two parts, of {names}: narrow the `hosts` of one"
        )


def _by_value(
    file: Controllers,
    name: str,
    hosts: Sequence[str],
    values: Mapping[str, Mapping[str, Any]],
    whole: Mapping[str, Any],
) -> list[list[str]]:
    """The hosts by the value of a variable: neighbouring values go to one controller, and parts are of like size."""
    groups: dict[str, list[str]] = {}
    for host in hosts:
        groups.setdefault(str(values.get(host, {}).get(name, "")), []).append(host)
    if left := groups.get(""):
        known = {each for own in (*whole["groups"].values(), *whole["hosts"].values()) for each in own.get("vars", own)}
        near = nearest(name, [*known])
        hint = f" (did you mean {near!r}?)" if near else ""
        raise UsageError(f"{file.path}: {_named(left)} would be in no part: no variable {name!r} is set there{hint}")
    shares: list[list[str]] = [[] for _one in file.each]
    before = 0
    for _value, some in sorted(groups.items(), key=lambda group: natural(group[0])):
        middle = before + len(some) / 2
        shares[ceil(middle * len(shares) / len(hosts)) - 1] += some
        before += len(some)
    return shares


def _named(hosts: Sequence[str]) -> str:
    return f"{counted(len(hosts), 'host')} ({first_few(hosts, NAMED)})"


def part_inventory(whole: Mapping[str, Any], left_out: Collection[str]) -> dict[str, Any]:
    """The inventory without the hosts of other parts, in the form of Ansible's YAML inventories.

    `whole` has `groups` with their hosts, children and variables, and `hosts` with their variables. Groups stay, even
    empty ones, since a pattern may name them; what no host here uses of their variables does not.
    """
    gone = frozenset(left_out)
    groups = dict(_groups(whole["groups"], gone))
    about = whole["groups"].get("all", {})
    hosts = {name: variables for name, variables in whole["hosts"].items() if name not in gone}
    return {"all": {"vars": about.get("vars", {}), "hosts": hosts, "children": groups}}


def _groups(groups: Mapping[str, Mapping[str, Any]], gone: Collection[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    used = _used(groups, gone)
    for name, group in groups.items():
        if name != "all":
            yield (
                name,
                {
                    "vars": group["vars"] if name in used else {},
                    "hosts": {host: {} for host in group["hosts"] if host not in gone},
                    "children": {child: {} for child in group["children"]},
                },
            )


def _used(groups: Mapping[str, Mapping[str, Any]], gone: Collection[str]) -> set[str]:
    """The groups with hosts that are not gone, also by their children."""
    away = frozenset(gone)
    found = {name for name, group in groups.items() if not away.issuperset(group["hosts"])}
    while more := {name for name, group in groups.items() if name not in found and found & {*group["children"]}}:
        found |= more
    return found | {"all"}


def part_files(files: Iterable[Path], whole: Mapping[str, Any], left_out: Collection[str]) -> list[Path]:
    """The files of a project without those of `group_vars` and `host_vars` that no host of the part uses.

    `whole` is the inventory as for `part_inventory`; its `extensions` are those of Ansible's files of variables.
    """
    hosts = {"localhost", *whole["hosts"]} - {*left_out}  # a step may run on the controller itself
    used = {
        folder: {f"{name}{end}" for name in names for end in ("", *whole["extensions"])}
        for folder, names in ((GROUP_VARS, _used(whole["groups"], left_out)), (HOST_VARS, hosts))
    }
    return [path for path in files if next((n in used[f] for f, n in pairwise(path.parts) if f in used), True)]
