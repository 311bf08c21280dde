# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for steps and hooks: their names, their fields, and the conditions that they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS, OTHERS
from ansible_collections.rack.recipes.plugins.module_utils.language.references import MOST as MOST_INSTANCES
from rack_recipes.errors import RecipeError
from rack_recipes.recipe.output_patterns import pattern_problems, regex_problem
from rack_recipes.recipe.recipe_model import BETWEEN, Path
from rack_recipes.recipe.recipe_node import CONDITION_PATHS, Named, Node, is_number, text
from rack_recipes.recipe.rules.possible_limits import possible_limits, possible_value
from rack_recipes.recipe.schema.json_schema import list_fields
from rack_recipes.recipe.substitution import BARE_REFERENCE
from rack_recipes.recipe.values_in_messages import closest, listed, listed_or, quoted, shown
from rack_recipes.recipe.yaml.values_and_positions import KEY

type Steps = list[Node]
type Known = Mapping[str, Node]
ONCE = ("run", *BETWEEN)
MAX_COMPARED = 20  # unknown names that get a suggestion: among a thousand steps one takes long
OTHER = "the name of another step"


def unique_step_names(steps: Steps) -> Iterator[RecipeError]:
    """Two steps must not have one name."""
    first: dict[str, Node] = {}
    for step in steps:
        if step.name and first.setdefault(step.name, step) is not step:
            got = f"{quoted(step.name)} again (first in line {first[step.name].place('name').line})"
            yield step.error(("name",), "each step name once", got)


def known_steps(steps: Steps) -> Iterator[RecipeError]:
    """A step can only depend on a step that exists. Nothing is reported while a step has no name."""
    names = dict.fromkeys(step.name for step in steps)
    inside = tuple(f"{step.name}." for step in steps if step.is_include and step.name)
    wanted = [(step, path, name) for step in steps for path, name in step.dependency_names() if name not in names]
    unknown = [] if "" in names else [entry for entry in wanted if not entry[2].startswith(inside or "\0")]
    for number, (step, path, name) in enumerate(unknown):
        yield unknown_step(
            step, path, name, tuple(known for known in names if known != step.name), compared=number < MAX_COMPARED
        )


def unknown_step(step: Node, path: Path, name: str, others: tuple[str, ...], *, compared: bool = True) -> RecipeError:
    """The error about a name that no step has. With `compared` it names the step that was probably meant."""
    near = closest(name, others) if compared else ""
    return step.error(path, OTHER + (f" ({listed(others)})" if others and not near else ""), quoted(name), near)


def dependencies(steps: Steps) -> Iterator[RecipeError]:
    """What is wrong with dependencies on steps that exist."""
    known = {step.name: step for step in steps}
    for step in steps:
        for path, name in step.dependency_names():
            for rule in DEPENDENCY_RULES:
                yield from rule(step, path, name, known)


def not_on_itself(step: Node, path: Path, name: str, _known: Known) -> Iterator[RecipeError]:
    """A step must not depend on itself, nor an include on one of its own steps."""
    if name == step.name:
        yield step.error(path, OTHER, f"{quoted(name)}, this {'include' if step.is_include else 'step'} itself")
    elif step.is_include and step.name and name.startswith(f"{step.name}."):
        yield step.error(path, OTHER, f"{quoted(name)}, a step of this include")


def not_on_closing_step(step: Node, path: Path, name: str, known: Known) -> Iterator[RecipeError]:
    """A step must not depend on a closing step, which runs at the end, unless it is one itself."""
    other = known.get(name)
    if other and other.data.get("always") is True and not step.data.get("always"):
        expected = "the name of a step without 'always', or 'always: true' in this one too"
        yield step.error(path, expected, f"{quoted(name)}, which runs at the end")


def hosts_of_dependency(step: Node, path: Path, name: str, known: Known) -> Iterator[RecipeError]:
    """`hosts` and `quorum` need a step that runs on several hosts."""
    written = step.data["depends_on"][path[1]]
    if not isinstance(written, dict):
        return
    other, own = known.get(name), text(written.get("hosts")) in ("", "same")
    if other and other.data.get("scope", "host") in ONCE and not (own and "quorum" not in written):
        word = "quorum" if own else "hosts"
        expected = f"no '{word}' for a step of scope {other.data['scope']}, which runs once"
        yield step.error((*path[:2], word), expected, shown(written[word]))
    elif own and "quorum" in written and step.data.get("scope") != "run":
        expected = "'hosts: all' or a pattern beside quorum: on one host a step passed or it did not"
        yield step.error((*path[:2], "quorum"), expected, f"{shown(written['quorum'])} without hosts")


def unique_list_entries(steps: Steps) -> Iterator[RecipeError]:
    """A name must not be in a list twice: another one was probably meant."""
    for step in steps:
        for key in list_fields():
            if key in step.data:
                texts: list[Named] = [((key, n), value) for n, value in step.texts(key)]
                yield from duplicates(step, key, step.dependency_names() if key == "depends_on" else texts)


def duplicates(node: Node, key: str, names: list[Named]) -> Iterator[RecipeError]:
    """Names that are in a list a second time."""
    if len({name for _path, name in names}) == len(names):
        return
    first: dict[str, Path] = {}
    for path, name in names:
        if first.setdefault(name, path) != path:
            got = f"{quoted(name)} again (first in line {node.place(*first[name]).line})"
            yield node.error(path, f"each name in {key} once", got)


DEPENDENCY_RULES: tuple[Callable[[Node, Path, str, Known], Iterator[RecipeError]], ...] = (
    not_on_itself,
    not_on_closing_step,
    hosts_of_dependency,
)
STEP_LIST_RULES: tuple[Callable[[Steps], Iterator[RecipeError]], ...] = (
    unique_step_names,
    known_steps,
    dependencies,
    unique_list_entries,
)
type Rule = Callable[[Node], Iterator[RecipeError]]
NEED_A_BOUND = frozenset(("accept", "backoff", "max_delay_sec", "on", "until"))  # fields of retry
OF_RUN = ("run", "delegate")  # the locks that a step of scope run can hold, by their `of`
OF_OUTPUT = ("pattern", "optional", "type")  # words of a key that is found in printed text
FULL_NAME = 3  # parts of the name of an Ansible module: namespace, collection, module


def refused(node: Node, key: str, reason: str) -> Iterator[RecipeError]:
    """A field that such a step must not have."""
    if key in node.data and node.data[key] is not False:
        yield node.error((key, KEY), f"no '{key}' in a step of {reason}", shown(node.data[key]))


def function_only_for_python(node: Node) -> Iterator[RecipeError]:
    """Only Python scriptlets have a class."""
    if node.data.get("type", "python") in ("shell", "native"):
        yield from refused(node, "function", f"type {node.data['type']}: only Python has classes")


def ansible_step(step: Node) -> Iterator[RecipeError]:
    """A step of type ansible needs the full name of a module, and has no fields that only the executor heeds."""
    if step.data["type"] != "ansible":
        return
    yield from refused(step, "function", "type ansible: its module is called whole")
    yield from refused(step, "parallel", "type ansible: Ansible runs it by itself")
    yield from refused(step, "limits", "type ansible: Ansible starts its processes")
    yield from refused(step, "sandbox", "type ansible: Ansible starts its processes")
    module = text(step.data.get("module"))
    if module and module.count(".") < FULL_NAME - 1:
        near = "" if "." in module else f"ansible.builtin.{module}"
        expected = "the full name of an Ansible module, namespace.collection.module"
        yield step.error(("module",), expected, quoted(module), near)


def envelope_only_of_programs(step: Node) -> Iterator[RecipeError]:
    """Only a script or a program may lack an envelope."""
    kind = step.data.get("type", "python")
    if kind not in ("shell", "native"):
        yield from refused(step, "envelope", f"type {kind}: only type shell and type native print one")


def parts_of_results_and_output(step: Node) -> Iterator[RecipeError]:
    """A module's result has parts to choose from, and so has what a script prints: others set their keys themselves."""
    writes, kind = step.data["writes"], step.data.get("type", "python")
    if step.data.get("envelope"):
        yield from (step.error(("writes", *path), *words) for path, words in pattern_problems(writes))
    elif isinstance(writes, dict) and kind != "ansible":
        expected = (
            "a list of context keys in a step of a scriptlet (parts are taken of the results of type: ansible, and of "
            "what is printed with envelope: none)"
        )
        yield step.error(("writes",), expected, "a mapping")
    mixed = ("at", "parse") if step.data.get("envelope") else OF_OUTPUT if kind == "ansible" else ()
    for key, part in writes.items() if isinstance(writes, dict) else ():
        for word in mixed if isinstance(part, dict) else ():
            if word in part:
                others = "a pattern finds the value" if step.data.get("envelope") else "'at' is where the value is"
                yield step.error(("writes", key, word, KEY), f"no '{word}': {others}", shown(part[word]))


def run_scope(step: Node) -> Iterator[RecipeError]:
    """A step of scope run runs once on the controller, so it has no hosts and no other user."""
    if step.data["scope"] == "run":
        yield from refused(step, "hosts", "scope run: it runs once, on the controller")
        yield from refused(step, "become", "scope run: it runs as the user of the controller")


NOT_BETWEEN = {  # fields that a step between hosts does not have, and why
    "loop": "its instances are the pairs or groups",
    "matrix": "its instances are the pairs or groups",
    "repeat": "its rounds are those of its members",
    "cache_key": "a link is measured anew",
    "locks": "at_once in 'members' says how many tests run beside each other",
    "delegate_to": "its members run it themselves",
}
RULES_OF_MEMBERS = {
    "pair": ("pairs", "within", "across", "random"),
    "group": ("by", "size"),
}  # beside `all`, which both have


def between_hosts(step: Node) -> Iterator[RecipeError]:
    """A step between hosts has a serving side or not, and nothing that needs a host of its own."""
    scope = step.data["scope"]
    if scope not in BETWEEN:
        return
    if step.data.get("type") == "ansible":
        yield step.error(
            ("type",), f"a scriptlet in a step of scope {scope}: it is measured between hosts", "'ansible'"
        )
    for key, why in NOT_BETWEEN.items():
        yield from refused(step, key, f"scope {scope}: {why}")
    for retry in step.children("retry"):
        for key in sorted(retry.data.keys() - {"max", "delay_sec", "on"}):
            yield from refused(retry, key, f"scope {scope}: its tests are tried again all together")
        for index, verdict in retry.texts("on"):
            if verdict != "error":
                expected = f"error in a step of scope {scope}: who measures until it passes hides a fault"
                yield retry.error(("on", index), expected, quoted(verdict))
    if "serve" not in step.data and "${peer.port}" in str(step.data.get("args")):
        yield step.error(("args", KEY), "'serve' beside ${peer.port}, the port of the serving side", "no serve")
    yield from _rule_of_members(step, scope)


def _rule_of_members(step: Node, scope: str) -> Iterator[RecipeError]:
    written, known = step.data.get("members"), RULES_OF_MEMBERS[scope]
    for members in step.children("members"):
        rules = [name for each in RULES_OF_MEMBERS.values() for name in each if name in members.data]
        if len(rules) > 1:
            yield members.error((rules[1], KEY), "one rule in members", listed(rules))
        for name in rules:
            if name not in known:
                yield members.error((name, KEY), f"{listed(known)} in members of scope {scope}", quoted(name))
        if "rounds" in members.data and "random" not in members.data:
            yield members.error(("rounds", KEY), "'random' beside rounds", listed(members.data))
    if written == "neighbours" and scope == "group":
        yield step.error(("members",), "all, by or size in members of scope group", quoted(written))
    if "isolate" in step.data and step.data["isolate"] is not False and isinstance(written, str):
        yield step.error(("members",), "no pairs beside isolate, which chooses them", quoted(written))


def only_between_hosts(step: Node) -> Iterator[RecipeError]:
    """Members, a serving side and a search belong to a step between hosts."""
    if step.data.get("scope", "host") not in BETWEEN:
        for key in ("members", "serve", "isolate"):
            if key in step.data:
                yield step.error((key, KEY), f"'scope: pair' or 'scope: group' beside {key}", "neither")


def not_loop_and_matrix(step: Node) -> Iterator[RecipeError]:
    """A step has either a loop or a matrix."""
    if "loop" in step.data and "matrix" in step.data:
        yield step.error(("matrix", KEY), "either 'loop' or 'matrix' in a step", "both")


def not_too_many(step: Node) -> Iterator[RecipeError]:
    """A step must not have too many instances: each makes a record."""
    lists = [
        step.data.get("loop"),
        *(step.data["matrix"].values() if isinstance(step.data.get("matrix"), dict) else ()),
    ]
    number = prod(len(values) for values in lists if isinstance(values, list) and values)
    if number > MOST_INSTANCES:
        key = "loop" if "loop" in step.data else "matrix"
        yield step.error((key,), f"at most {MOST_INSTANCES} instances of a step", str(number))


def bounded_retry(step: Node) -> Iterator[RecipeError]:
    """A retry needs something that ends it."""
    for retry in step.children("retry"):
        if retry.data.keys() & NEED_A_BOUND and not retry.data.keys() & {"max", "deadline_sec"}:
            yield retry.error((), "'max' or 'deadline_sec' in retry", f"only {listed(retry.data)}")


def max_delay_not_below_delay(step: Node) -> Iterator[RecipeError]:
    """The longest delay must not be below the first one."""
    for retry in step.children("retry"):
        first, most = retry.data.get("delay_sec", 0), retry.data.get("max_delay_sec")
        if is_number(first) and is_number(most) and most < first:
            yield retry.error(("max_delay_sec",), f"at least {first}, the delay_sec beside it", shown(most))


def unique_verdicts(step: Node) -> Iterator[RecipeError]:
    """A verdict must not be listed twice."""
    for retry in step.children("retry"):
        values = [value for _index, value in retry.texts("on")]
        for index, value in retry.texts("on"):
            if value in values[:index]:
                yield retry.error(("on", index), "each verdict in on once", f"{quoted(value)} again")


def bounded_repeat(step: Node) -> Iterator[RecipeError]:
    """A repeat needs something that ends it, and not two such things."""
    for repeat in step.children("repeat"):
        bounds = repeat.data.keys() & {"count", "for_sec"}
        if "until" not in repeat.data and not bounds:
            got = f"only {listed(repeat.data)}" if repeat.data else "an empty mapping"
            yield repeat.error((), "'count', 'for_sec' or 'until' in repeat", got)
        elif "until" not in repeat.data and len(bounds) > 1:
            yield repeat.error(("for_sec", KEY), "either 'count' or 'for_sec' in repeat", "both")


def known_locks(step: Node) -> Iterator[RecipeError]:
    """Locks have to be declared. A step of scope run can only hold locks that need no host of its own."""
    declared = step.document.data.get("locks", {})
    for index, name in step.texts("locks"):
        lock = declared.get(name) if isinstance(declared, dict) else None
        if isinstance(declared, dict) and name not in declared:
            near = closest(name, tuple(declared))
            known = f" ({listed(declared) or 'there are none'})" if not near else ""
            yield step.error(("locks", index), f"the name of a lock in 'locks' of this file{known}", quoted(name), near)
        elif step.data.get("scope") == "run" and isinstance(lock, dict) and lock.get("of", "run") not in OF_RUN:
            expected = "a lock of the run in a step of scope run, which has no host"
            yield step.error(("locks", index), expected, f"{quoted(name)}, one of each {lock['of']}")


def no_references_in_hosts(node: Node) -> Iterator[RecipeError]:
    """A host pattern has no references: hosts are selected before their values are known."""
    pattern = text(node.data.get("hosts"))
    if "${" in pattern:
        expected = "a host pattern without references (a Jinja expression with an extra var can stand here)"
        yield node.error(("hosts",), expected, quoted(pattern))


def no_references_in_delegate(step: Node) -> Iterator[RecipeError]:
    """The host that runs a step is known before the values of its references are."""
    delegate = text(step.data.get("delegate_to"))
    if "${" in delegate:
        expected = "one host without references (a Jinja expression over the host's variables can stand here)"
        yield step.error(("delegate_to",), expected, quoted(delegate))


def no_references_in_dependency_hosts(step: Node) -> Iterator[RecipeError]:
    """The same for patterns in `depends_on`."""
    for node in step.children("depends_on"):
        yield from no_references_in_hosts(node)


RULES_BY_FIELD: dict[str, tuple[Rule, ...]] = {
    "function": (function_only_for_python,),
    "type": (ansible_step,),
    "scope": (run_scope, between_hosts),
    **dict.fromkeys(("members", "serve", "isolate"), (only_between_hosts,)),
    "hosts": (no_references_in_hosts,),
    "delegate_to": (no_references_in_delegate,),
    "depends_on": (no_references_in_dependency_hosts,),
    "loop": (not_too_many,),
    "matrix": (not_loop_and_matrix, not_too_many),
    "retry": (bounded_retry, max_delay_not_below_delay, unique_verdicts),
    "repeat": (bounded_repeat,),
    "locks": (known_locks,),
    "writes": (parts_of_results_and_output,),
    "envelope": (envelope_only_of_programs,),
}
KNOWN = {*LIMITS, *OTHERS}


def condition_errors(step: Node) -> Iterator[RecipeError]:
    """What is wrong with the conditions of a step."""
    for path in CONDITION_PATHS:
        if path[0] in step.data:
            for condition in step.children(*path):
                for rule in RULES:
                    yield from rule(condition)
    if isinstance(step.data.get("success"), dict):
        yield from unique_criterion_names(step)


def with_criterion(condition: Node) -> Iterator[RecipeError]:
    """A condition needs a criterion. Where it has unknown words, the schema's error is enough."""
    if condition.data.keys() & LIMITS.keys() or condition.data.keys() - KNOWN or "value" not in condition.data:
        return
    yield condition.error((), f"at least one of {listed_or(LIMITS)} in a condition", f"only {listed(condition.data)}")


def value_in_braces(condition: Node) -> Iterator[RecipeError]:
    """The value has to be a reference in braces, not only its name."""
    value = text(condition.data.get("value"))
    if BARE_REFERENCE.fullmatch(value):
        expected = "a reference, such as ${numbers.stats_v1.mean}"
        yield condition.error(("value",), expected, quoted(value), f"${{{value}}}")


def consistent_warnings(condition: Node) -> Iterator[RecipeError]:
    """The bounds of a condition and of its `warn`. A warning bound outside of the hard one would never be reached."""
    yield from bound_errors(condition)
    for warn in condition.children("warn"):
        yield from bound_errors(warn)
        for word, outside in (("min", float.__lt__), ("max", float.__gt__)):
            hard, soft = condition.data.get(word), warn.data.get(word)
            if is_number(hard) and is_number(soft) and outside(float(soft), float(hard)):
                least = "at least" if word == "min" else "at most"
                expected = f"{least} {hard}, the hard bound: a warning comes before it"
                yield warn.error((word,), expected, shown(soft))
        for word, other, outside in (("min", "max", float.__gt__), ("max", "min", float.__lt__)):
            hard, soft = condition.data.get(other), warn.data.get(word)
            if is_number(hard) and is_number(soft) and outside(float(soft), float(hard)):
                expected = (
                    f"{word} that is inside of {other}: {hard}, the hard bound: no value passes without a warning"
                )
                yield warn.error((word,), expected, shown(soft))


def bound_errors(node: Node) -> Iterator[RecipeError]:
    """Bounds that no value can meet, or that cannot be understood."""
    for rule in BOUNDS:
        yield from rule(node)


def min_not_above_max(node: Node) -> Iterator[RecipeError]:
    """`max` must not be below `min`."""
    least, most = node.data.get("min"), node.data.get("max")
    if is_number(least) and is_number(most) and most < least:
        yield node.error(("max",), f"at least {least}, the min beside it", shown(most))


def one_tolerance(node: Node) -> Iterator[RecipeError]:
    """`within` has either `percent` or `by`."""
    for within in node.children("within"):
        ways = within.data.keys() & {"percent", "by"}
        if not ways and within.data.keys() <= {"of"}:
            yield within.error((), "'percent' or 'by' in within", f"only {listed(within.data) or 'an empty mapping'}")
        elif len(ways) > 1:
            yield within.error(("by", KEY), "either 'percent' or 'by' in within", "both")


def valid_pattern(node: Node) -> Iterator[RecipeError]:
    """`matches` has to be a regular expression."""
    pattern = text(node.data.get("matches"))
    if "${" in pattern or "{{" in pattern:
        return
    if problem := regex_problem(pattern):
        yield node.error(("matches",), "a regular expression", f"{quoted(pattern)} ({problem})")


def no_pattern_for_quantile(condition: Node) -> Iterator[RecipeError]:
    """A quantile is a number, so it matches no regular expression."""
    if "quantile" in condition.data and "matches" in condition.data:
        yield condition.error(("matches", KEY), "no 'matches' beside quantile, which is a number", "both")


def unique_criterion_names(step: Node) -> Iterator[RecipeError]:
    """Two criteria of a step must not have one name: their measurements could not be told apart."""
    for success in step.children("success"):
        values = list(success.children("values"))
        names = [((*node.path[len(success.path) :], "name"), node.name) for node in values if node.name]
        yield from duplicates(success, "values", names)


BOUNDS: tuple[Callable[[Node], Iterator[RecipeError]], ...] = (
    min_not_above_max,
    one_tolerance,
    valid_pattern,
    possible_limits,
)
RULES = (with_criterion, value_in_braces, consistent_warnings, no_pattern_for_quantile, possible_value)
