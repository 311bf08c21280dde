# SPDX-License-Identifier: GPL-3.0-or-later

"""What results that failed together have in common, in the words of a technician.

Causes are ranked by how many results that did not pass they explain.

The attributes are those of the inventory, the hosts' groups, whom they are reached through, and what steps that failed
nowhere have learned about them: the devices that their ports see, and short texts in the context, such as a model or a
version of firmware.

Blocked results come under what blocked them. A step that failed on every host is a cause of its own. Then come
attributes that hosts share, over all steps and for single steps, and then hosts on which much failed. What is left is
said, too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from rack_recipes.analysis import cabling_and_link_faults, failed_pairs
from rack_recipes.analysis.cabling_and_link_faults import KEYS, link_reports
from rack_recipes.analysis.failed_and_blocked_results import AWAY, Failures, advice_on_way_to, failures_of
from rack_recipes.analysis.findings import NOTE, PROBLEM, Finding, ResultId, format_count
from rack_recipes.analysis.history import History
from rack_recipes.analysis.kinds_of_values import NOISE, kind_of
from rack_recipes.analysis.methods.causes import ALPHA, UNLIKELY, Cause, Shared, common_group, find_causes, host_sets
from rack_recipes.analysis.methods.statistics_without_numpy import hypergeometric_tail
from rack_recipes.analysis.run_data import RunData
from rack_recipes.natural_order import natural

MOST_OTHERS = 3  # values of hosts that passed, to compare with


class Words(NamedTuple):
    """`{it}` stands for the attribute with its value, `{others}` for the values of the hosts that passed."""

    hosts: str
    word: str
    advice: str


COMPARE = "Compare one of these hosts with one of another {word}."
VERSIONS = "Compare the versions: these hosts have {value}, the others have {others}."
# Of attributes that the same hosts share, the first one here gives the name.
WORDS: Mapping[str, Words] = {
    "uplinks": Words("hosts with {it}", "uplink", "Check the cable and the port {value} at both ends."),
    "leaf": Words("hosts of {it}", "leaf", "Check {it}: its ports to these hosts, its uplinks, and its log."),
    "uplink to": Words("hosts with an {it}", "uplink to", "Check {value}: its ports, its own uplinks and its log."),
    "pdu": Words("hosts on {it}", "PDU", "Check {it}: its outlets, its load and its breaker."),
    "power_feed": Words("hosts on {it}", "power feed", "Check {it}: its voltage, its load and its breaker."),
    "through": Words("hosts behind {value}", "delegate", "Check {value} first: all of them are reached through it."),
    "batch": Words(
        "hosts of {it}", "batch", "Swap one part of {it} with one of another batch, and run the test again."
    ),
    "firmware": Words("hosts with {it}", "firmware", VERSIONS),
    "nic_model": Words("hosts with {it}", "NIC model", COMPARE + " Look at driver and firmware of the NIC."),
    "model": Words("hosts of {it}", "model", COMPARE + " Look at firmware and settings."),
    "vendor": Words("hosts of {it}", "vendor", COMPARE),
    "class": Words("hosts of {it}", "class", COMPARE),
    "role": Words("hosts with {it}", "role", COMPARE),
    "rack": Words("hosts in {it}", "rack", "Look at what {it} shares: power, cooling, its switch."),
    "spine": Words("hosts of {it}", "spine", "Check {it}: its ports, its routes and its log."),
    "row": Words("hosts in {it}", "row", "Look at what {it} shares: power, cooling, its network."),
    "site": Words("hosts at {it}", "site", "Look at what {it} shares: services such as DNS, NTP and routes."),
    "position": Words("hosts at {it}", "position", "Look at what is the same at {it} in each rack: cables, air flow."),
    "u": Words("hosts at {it}", "U", "Look at what is the same at {it} in each rack: cables, air flow."),
    "group": Words("hosts of {it}", "group", "Compare the variables of {it} with those of other groups."),
}
SWITCHES = frozenset(("leaf", "spine"))
VERSION = re.compile(r"firmware|version|bios|driver|kernel|revision|microcode|release")
_PLACES = {attribute: place for place, attribute in enumerate(WORDS)}


def sort_by_telling(names: Sequence[Shared]) -> list[Shared]:
    """What the same hosts share, in the order of the table; what a step has learned comes last."""
    return sorted(names, key=lambda name: (_PLACES.get(name.attribute, len(WORDS)), name))


def hosts_with(name: Shared) -> str:
    """The hosts in words: `hosts of leaf2`."""
    words = _words(name.attribute)
    return words.hosts.format(it=name_with_value(name), value=name.value)


def on_or_with(name: Shared) -> str:
    """Where some of the hosts are, in words: `on leaf2`, `in rack R1` or `with batch B7`."""
    where = hosts_with(name).removeprefix("hosts ")
    return f"{'on' if name.attribute in SWITCHES else 'with'} {where[3:]}" if where.startswith("of ") else where


def name_with_value(name: Shared) -> str:
    """The attribute with its value: `leaf2` or `power feed B`."""
    word = _words(name.attribute).word
    return name.value if name.value.lower().startswith(word.lower()) else f"{word} {name.value}"


def advice_for(name: Shared, others: Sequence[str]) -> str:
    """What to do next; `others` are the values of the hosts that passed, the most common one first."""
    words = _words(name.attribute)
    return words.advice.format(
        it=name_with_value(name),
        value=name.value,
        word=words.word,
        others=" or ".join(others[:MOST_OTHERS]) or "no known one",
    )


def _words(attribute: str) -> Words:
    if attribute in WORDS:
        return WORDS[attribute]
    is_version = VERSION.search(attribute.rpartition(".")[2].lower())
    return Words("hosts with {it}", attribute, VERSIONS if is_version else COMPARE)


GROUPS, GROUP = "groups", "group"  # the attribute of the run, and what it is called here
THROUGH = "through"
DEVICE = "uplink to"  # the device in an attribute such as `uplinks: [leaf3:12]`
PORT = re.compile(r"(?P<device>[^:\s]+):\S+")
LONGEST = 64  # characters of a learned text
LEAST_HOSTS = 2  # a value of one host says nothing that its name does not say
# Learned numbers are attributes only under such names: others are counts and measurements.
NUMBERS = re.compile(r"version|revision|firmware|microcode|generation|stepping|slot|port|vlan|mtu|speed|width|lanes")
Traits = Mapping[str, Mapping[str, frozenset[str]]]
Hosts = dict[str, dict[str, set[str]]]  # the same, while they are gathered


def places_of(run: RunData) -> Traits:
    """By attribute and value, the hosts: what the inventory says, and whom they are reached through."""
    return _kept(_gathered_pairs([*_said(run), *_through(run)]))


def traits_of(run: RunData, unsure: Iterable[str] = ()) -> Traits:
    """The same, with what steps have learned, but for the steps in `unsure`, where it may be a symptom."""
    left_out = frozenset(unsure)
    found = _gathered_pairs([*_said(run), *_through(run), *_neighbours(run, left_out)])
    found.update(_learned(run, left_out))
    return _kept(found)


def _gathered_pairs(pairs: Iterable[Pair]) -> Hosts:
    found: Hosts = defaultdict(lambda: defaultdict(set))
    for attribute, value, host in pairs:
        found[attribute][value].add(host)
    return found


def _kept(found: Hosts) -> Traits:
    return {
        attribute: {value: frozenset(hosts) for value, hosts in sorted(values.items()) if len(hosts) >= LEAST_HOSTS}
        for attribute, values in sorted(found.items())
    }


def values_of(traits: Traits, attribute: str, hosts: frozenset[str]) -> list[str]:
    """The values that these hosts have, the most common one first."""
    counted = ((len(hosts & own), value) for value, own in traits.get(attribute, {}).items())
    return [value for count, value in sorted(counted, key=lambda one: (-one[0], one[1])) if count]


PLACES_IN_A_RACK = ("position", "u")  # no network goes along them


def _values_by_attribute(run: RunData) -> dict[str, dict[str, str]]:
    """By attribute of the inventory and host, the value; the most telling attribute first. Lists are left out."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for host, attributes in run.attributes.items():
        for name, value in attributes.items():
            if isinstance(value, str | int) and name not in PLACES_IN_A_RACK:
                found[name][host] = str(value)
    return {name: found[name] for name in sorted(found, key=lambda name: (_PLACES.get(name, len(WORDS)), name))}


Pair = tuple[str, str, str]  # attribute, value, host


def _said(run: RunData) -> Iterator[Pair]:
    """What the inventory says. Each element of a list is a value."""
    for host, attributes in run.attributes.items():
        for name, given in attributes.items():
            for value in given if isinstance(given, list) else [given]:
                yield GROUP if name == GROUPS else name, str(value), host
                port = PORT.fullmatch(str(value)) if isinstance(given, list) else None
                if port:
                    yield DEVICE, port["device"], host


def _through(run: RunData) -> Iterator[Pair]:
    for row in run.steps:
        through = row.get("through")
        if row["host"] and through and through != row["host"]:
            yield THROUGH, through, row["host"]


def _neighbours(run: RunData, unsure: frozenset[str]) -> Iterator[Pair]:
    """The devices that a host's ports see."""
    for end, report in link_reports(run).items():
        if report.peer and report.sources["peer"].step not in unsure:
            yield DEVICE, report.peer.device, end.device


def _learned(run: RunData, unsure: frozenset[str]) -> Hosts:
    """Short texts and some numbers in the context, where they have few different values and are no noise by nature."""
    found: Hosts = defaultdict(lambda: defaultdict(set))
    of_links = {key for key in {row["key"] for row in run.context} if KEYS.fullmatch(key)}
    for row in run.context:
        if row["host"] and row.get("step") not in unsure and row["key"] not in of_links:
            _add_leaves(found, row["key"], row["value"], row["host"])
    lasting = {attribute: values for attribute, values in found.items() if kind_of(attribute) != NOISE}
    return {attribute: _short(values) for attribute, values in lasting.items() if _are_few(values)}


def _short(values: Mapping[str, set[str]]) -> dict[str, set[str]]:
    return {value: hosts for value, hosts in values.items() if 0 < len(value) <= LONGEST and value.isprintable()}


def _add_leaves(found: Hosts, path: str, value: Any, host: str) -> None:
    """The only loop over all that a run has learned, which may be a million leaves."""
    kind = type(value)
    if kind is dict:
        for name, item in value.items():
            _add_leaves(found, f"{path}.{name}", item, host)
    elif kind is str or (kind is int and NUMBERS.search(path.rpartition(".")[2].lower())):
        found[path][str(value)].add(host)


def _are_few(values: Mapping[str, set[str]]) -> bool:
    """At most half as many values as there are hosts with them, or two."""
    return len(values) <= max(2, sum(map(len, values.values())) // 2)


KIND = "cause"
LEAST = 2  # results or hosts that have something in common
MOST_STEPS = 3  # that are told one by one where they failed on every host, or by their names
MOST_AWAY = 3  # hosts without an answer that are told one by one
MOST_ALIKE = 3  # other names of the same hosts in a title
SHARED_METHOD = (
    "hypergeometric test of each attribute, the strongest first, times the number of attributes; "
    f"at most {ALPHA:.0%} of runs without a common cause get a false one"
)
EXACT_METHOD = "the attribute that all hosts with failures share and no others have; chance is not ruled out"
GUESS_METHOD = "the smallest group with all hosts whose failures nothing else explains; chance is not ruled out"
EVERY_HOST_METHOD = "counted: the step passed on no host; no false alarms, but the cause may also be one for each host"
ONE_HOST_METHOD = (
    f"hypergeometric test over all results, times the number of hosts; at most {ALPHA:.0%} of runs get a false one"
)
AWAY_METHOD = "counted: no result of this host has an answer; no statistics"
ONLY_HOST_METHOD = "counted: no other host has failures; chance is not ruled out"
REST_METHOD = "what none of the causes explains"


def findings(run: RunData, history: History) -> Iterator[Finding]:
    """The causes of what failed in a run. A run with fewer than two failures has none."""
    failures = failures_of(run)
    if len(failures.failed) < LEAST:
        return
    pairs = [*failed_pairs.findings(run, failures, _values_by_attribute(run))]
    explained = {*failed_pairs.searched(run), *(result for one in pairs for result in one.results)}
    everywhere, left = _on_every_host(failures, explained)
    traits = traits_of(run, unsure={failures.planned(result) for result in failures.failed})
    shared, left = _shared(failures, traits, left)
    of_hosts, left = _of_hosts(failures, left)
    of_links = [frozenset(finding.results) for finding in cabling_and_link_faults.findings(run, history)]
    # A single link that explains all results says more than their hosts do.
    shared = [one for one in shared if not any(results.issuperset(one.results) for results in of_links)]
    left = [result for result in left if not any(result in results for results in of_links)]
    guessed = _guesses(failures, traits, left)
    left = _without(left, guessed)
    yield from pairs
    yield from everywhere
    yield from (_shared_finding(failures, traits, one) for one in (*shared, *guessed))
    yield from of_hosts
    if len(left) >= LEAST or (left and len(left) < len(failures.failed)):
        yield _rest(failures, left)


def _finding(
    failures: Failures, results: Sequence[ResultId], title: str, advice: str, method: str,
    figures: Mapping[str, object], about: Mapping[str, object],
) -> Finding:  # fmt: skip
    """A cause with all that it explains; what these results have blocked stands behind them."""
    blocked = failures.blocked_by(results)
    if blocked:
        title = f"{title}; {format_count(len(blocked), 'more result is', 'more results are')} blocked by that"
    told = {"failures": len(results), "of_failures": len(failures.failed), **figures, "blocked": len(blocked)}
    everything = (*results, *blocked)
    return Finding(KIND, PROBLEM, title, everything, advice, told, about, method, explains=len(everything))


# A step that failed everywhere.
def _on_every_host(failures: Failures, explained: Collection[ResultId]) -> tuple[list[Finding], list[ResultId]]:
    """The steps that failed on every host where they were judged, and the results that are left."""
    open_results = [result for result in failures.failed if result not in explained]
    whole = {
        step: results
        for step, results in _by_step(failures, open_results).items()
        if len(failures.judged[step]) >= LEAST and {result.host for result in results} == failures.judged[step]
    }
    left = [result for result in open_results if failures.planned(result) not in whole]
    if len(whole) > MOST_STEPS:
        return [_every_step(failures, whole)], left
    return [_every_host(failures, step, results) for step, results in whole.items()], left


def _every_host(failures: Failures, step: str, results: Sequence[ResultId]) -> Finding:
    hosts = len(failures.judged[step])
    title = f"{step} failed on every host ({hosts} of {hosts})"
    advice = f"Look at {step} itself first: its arguments, its limits, and what all of these hosts use."
    return _finding(failures, results, title, advice, EVERY_HOST_METHOD, {"hosts": hosts}, {"step": step})


def _every_step(failures: Failures, whole: dict[str, list[ResultId]]) -> Finding:
    results = [result for each in whole.values() for result in each]
    named = ", ".join([*whole][:MOST_STEPS])
    title = f"{len(whole)} steps failed on every host: {named} and {len(whole) - MOST_STEPS} more"
    advice = (
        f"Look at the first of them, {next(iter(whole))}, and at what all hosts share: network, power, credentials."
    )
    return _finding(failures, results, title, advice, EVERY_HOST_METHOD, {"steps": len(whole)}, {})


# What hosts share.
@dataclass(frozen=True, slots=True)
class _Shared:
    """A group of hosts with all that only they share, the results that it explains, and the chance of that."""

    names: tuple[Shared, ...]
    group: frozenset[str]
    results: tuple[ResultId, ...]
    p: float
    method: str
    compared: int


def _shared(failures: Failures, traits: Traits, left: list[ResultId]) -> tuple[list[_Shared], list[ResultId]]:
    """The causes over all steps, then those of single steps, and the results that none of them explains.

    Half of the permitted false alarms goes to each of the two looks.
    """
    found = _over_all_steps(failures, traits, left, ALPHA / 2)
    left = _without(left, found)
    found += _of_single_steps(failures, traits, left, ALPHA / 2)
    left = _without(left, found)
    if not found:
        found = [one for one in _guessed(failures, traits, left, failures.hosts) if one.method == EXACT_METHOD]
        left = _without(left, found)
    return _gathered(found), left


def _over_all_steps(failures: Failures, traits: Traits, left: list[ResultId], alpha: float) -> list[_Shared]:
    groups = host_sets(failures.hosts, traits)
    causes = find_causes(_hosts(left), failures.hosts, traits, alpha, groups)
    return _disjoint(failures, causes, left, SHARED_METHOD, len(groups))


def _of_single_steps(failures: Failures, traits: Traits, left: list[ResultId], alpha: float) -> list[_Shared]:
    several = {step: own for step, own in _by_step(failures, left).items() if len(_hosts(own)) >= LEAST}
    groups = {judged: host_sets(judged, traits) for judged in {failures.judged[step] for step in several}}
    found: list[_Shared] = []
    for step, results in several.items():
        judged = failures.judged[step]
        causes = find_causes(_hosts(results), judged, traits, alpha / len(several), groups[judged])
        found += _disjoint(failures, causes, results, SHARED_METHOD, len(groups[judged]))
    return found


def _guessed(failures: Failures, traits: Traits, results: list[ResultId], judged: frozenset[str]) -> list[_Shared]:
    """What all hosts with these results share, and few others of the hosts that were judged."""
    groups = host_sets(judged, traits)
    cause = common_group(_hosts(results), judged, groups)
    if cause is None:
        return []
    return _disjoint(failures, [cause], results, GUESS_METHOD if cause.passing else EXACT_METHOD, len(groups))


def _guesses(failures: Failures, traits: Traits, left: list[ResultId]) -> list[_Shared]:
    """The same of all that nothing has explained, or else of single steps; hosts that are explained do not count."""
    known = _hosts(failures.failed) - _hosts(left)
    if found := _guessed(failures, traits, left, failures.hosts - known):
        return found
    several = {step: own for step, own in _by_step(failures, left).items() if len(_hosts(own)) >= LEAST}
    found = [
        one
        for step, own in several.items()
        for one in _guessed(failures, traits, own, failures.judged[step] - (failures.hosts_failed[step] - _hosts(own)))
    ]
    return [one for one in found if one.p * len(several) <= UNLIKELY]


def _by_step(failures: Failures, results: Iterable[ResultId]) -> dict[str, list[ResultId]]:
    found: dict[str, list[ResultId]] = defaultdict(list)
    for result in results:
        found[failures.planned(result)].append(result)
    return found


def _disjoint(
    failures: Failures, causes: Iterable[Cause], left: Sequence[ResultId], method: str, compared: int
) -> list[_Shared]:
    """What each cause explains of the results that are left: those of steps that fail more often in its group."""
    found: list[_Shared] = []
    for cause in causes:
        group = frozenset(map(str, cause.group))
        open_results = _without(left, found)
        planned = {failures.planned(result) for result in open_results}
        steps = {step for step in planned if _fails_more(failures, step, group)}
        own = tuple(result for result in open_results if result.host in group and failures.planned(result) in steps)
        if len(own) >= LEAST:
            found.append(_Shared(tuple(sort_by_telling(cause.names)), group, own, cause.p, method, compared))
    return found


def _fails_more(failures: Failures, step: str, group: frozenset[str]) -> bool:
    judged, failed = failures.judged[step], failures.hosts_failed[step]
    inside, outside = judged & group, judged - group
    return len(failed & inside) * max(len(outside), 1) > len(failed & outside) * len(inside)


def _gathered(found: Sequence[_Shared]) -> list[_Shared]:
    """Causes by the same name are one; the one that explains most comes first."""
    by_name: dict[Shared, list[_Shared]] = defaultdict(list)
    for one in found:
        by_name[one.names[0]].append(one)
    joined = [
        _Shared(
            same[0].names,
            frozenset().union(*(one.group for one in same)),
            tuple(result for one in same for result in one.results),
            min(one.p for one in same),
            same[0].method,
            same[0].compared,
        )
        for same in by_name.values()
    ]
    return sorted(joined, key=lambda one: (-len(one.results), one.p, one.names))


def _shared_finding(failures: Failures, traits: Traits, one: _Shared) -> Finding:
    steps = {failures.planned(result) for result in one.results}
    judged = frozenset().union(*(failures.judged[step] for step in steps))
    failed = frozenset().union(*(failures.hosts_failed[step] for step in steps))
    inside, outside = judged & one.group, judged - one.group
    figures = {
        "hosts": len(failed & inside), "of_hosts": len(inside),
        "others": len(failed & outside), "of_others": len(outside),
        "p": one.p, "compared": one.compared,
    }  # fmt: skip
    name, *alike = one.names
    where = (
        f"{hosts_with(name)} ({len(failed & inside)} of {format_count(len(inside), 'host')}; "
        f"{len(failed & outside)} of {format_count(len(outside), 'other')})"
    )
    title = f"{_share(one.results, failures)}{_in_steps(steps)} are on {where}{_alike(name, alike)}"
    if one.p > ALPHA:
        title += f"; chance alone cannot be ruled out (p = {one.p:.2g})"
    others = values_of(traits, name.attribute, judged - one.group - failed)
    about = {
        "attribute": name.attribute,
        "value": name.value,
        "same_hosts": [name_with_value(other) for other in alike],
    }
    found = _finding(failures, one.results, title, advice_for(name, others), one.method, figures, about)
    return replace(found, suggestion=one.p > ALPHA)


def _alike(first: Shared, names: Sequence[Shared]) -> str:
    """Other names of the same hosts, which cannot be told apart from the first one; not a group of the same name."""
    others = [name_with_value(name) for name in names if name.value != first.value]
    if not others:
        return ""
    more = f" and {len(others) - MOST_ALIKE} more" if len(others) > MOST_ALIKE else ""
    return f", which also share {', '.join(others[:MOST_ALIKE])}{more}"


def _in_steps(steps: Collection[str]) -> str:
    return f" of {next(iter(steps))}" if len(steps) == 1 else ""


# Single hosts, and the rest.
def _of_hosts(failures: Failures, left: list[ResultId]) -> tuple[list[Finding], list[ResultId]]:
    """The hosts on which more failed than chance allows, that are away, or that are the only ones with failures."""
    by_host: dict[str, list[ResultId]] = defaultdict(list)
    for result in left:
        by_host[result.host].append(result)
    by_host.pop("", None)
    is_only = len(by_host) == 1 and len(left) == len(failures.failed)
    found: list[Finding] = []
    if len(failures.hosts) < LEAST:
        return found, left
    away = {host for host, own in by_host.items() if failures.unreachable.keys() >= {*own}}
    away = {host for host in away if len(by_host[host]) == failures.counts[host]} if len(away) <= MOST_AWAY else set()
    for host, own in sorted(by_host.items(), key=lambda one: (-len(one[1]), natural(one[0]))):
        p, is_away = _chance(failures, host, left, own), host in away
        if len(own) >= LEAST and (p <= ALPHA or is_away or is_only):
            method = ONE_HOST_METHOD if p <= ALPHA else AWAY_METHOD if is_away else ONLY_HOST_METHOD
            found.append(_host_finding(failures, host, own, left, p, method))
    explained = {one.about["host"] for one in found}
    return found, [result for result in left if result.host not in explained]


def _chance(failures: Failures, host: str, left: Sequence[ResultId], own: Sequence[ResultId]) -> float:
    p = hypergeometric_tail(len(own), sum(failures.counts.values()), len(left), failures.counts[host])
    return min(p * len(failures.hosts), 1.0)


def _host_finding(
    failures: Failures, host: str, own: list[ResultId], left: Sequence[ResultId], p: float, method: str
) -> Finding:
    others = sum(failures.counts.values()) - failures.counts[host]
    elsewhere = sum(bool(result.host) and result.host != host for result in left)
    advice = f"Look at {host} itself: the same steps did better on the other hosts."
    if failures.unreachable.keys() >= {*own}:
        advice = advice_on_way_to(host, failures.unreachable[own[0]]) or AWAY.format(host)
    where = f"{len(own)} of its {format_count(failures.counts[host], 'result')}; {elsewhere} of {others} on other hosts"
    title = f"{_share(own, failures)} are on {host} ({where})"
    figures = {"of_results": failures.counts[host], "others": elsewhere, "of_others": others, "p": p}
    return _finding(failures, own, title, advice, method, figures, {"host": host})


def _rest(failures: Failures, left: Sequence[ResultId]) -> Finding:
    is_all = len(left) == len(failures.failed)
    title = (
        f"{format_count(len(left), 'failure has', 'failures have')} no common cause"
        if is_all
        else f"{format_count(len(left), 'failure is', 'failures are')} explained by none of these causes and links"
    )
    figures = {"failures": len(left), "of_failures": len(failures.failed)}
    return Finding(KIND, NOTE, title, tuple(left), figures=figures, method=REST_METHOD)


# Small words.
def _hosts(results: Iterable[ResultId]) -> frozenset[str]:
    return frozenset(result.host for result in results if result.host)


def _without(left: Sequence[ResultId], found: Iterable[_Shared]) -> list[ResultId]:
    explained = {result for one in found for result in one.results}
    return [result for result in left if result not in explained]


def _share(results: Sequence[ResultId], failures: Failures) -> str:
    total = len(failures.failed)
    return f"All {total} failures" if len(results) == total else f"{len(results)} of {total} failures"
