# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for the fields of a step or a hook: which do not go together, and what must be in their mappings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod

from ansible_collections.rack.recipes.plugins.module_utils.language.loops import MOST as MOST_INSTANCES
from rack_recipes.errors import RecipeError
from rack_recipes.recipe.rules.unchecked_mapping import Node, is_number, text
from rack_recipes.recipe.yaml.node_positions import KEY
from rack_recipes.recipe.yaml.values_in_messages import closest, listed, quoted, shown

type Rule = Callable[[Node], Iterator[RecipeError]]

NEED_A_BOUND = frozenset(("backoff", "max_delay_sec", "on", "until"))  # fields of retry
OF_RUN = ("run", "delegate")  # the locks that a step of scope run can hold, by their `of`
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


def parts_only_of_results(step: Node) -> Iterator[RecipeError]:
    """Only the result of an Ansible module has parts to choose from: a scriptlet sets its keys itself."""
    if isinstance(step.data["writes"], dict) and step.data.get("type", "python") != "ansible":
        expected = "a list of context keys in a step of a scriptlet (parts are taken of the results of type: ansible)"
        yield step.error(("writes",), expected, "a mapping")


def run_scope(step: Node) -> Iterator[RecipeError]:
    """A step of scope run runs once on the controller, so it has no hosts and no other user."""
    if step.data["scope"] == "run":
        yield from refused(step, "hosts", "scope run: it runs once, on the controller")
        yield from refused(step, "become", "scope run: it runs as the user of the controller")


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
    "scope": (run_scope,),
    "hosts": (no_references_in_hosts,),
    "delegate_to": (no_references_in_delegate,),
    "depends_on": (no_references_in_dependency_hosts,),
    "loop": (not_too_many,),
    "matrix": (not_loop_and_matrix, not_too_many),
    "retry": (bounded_retry, max_delay_not_below_delay, unique_verdicts),
    "repeat": (bounded_repeat,),
    "locks": (known_locks,),
    "writes": (parts_only_of_results,),
}
