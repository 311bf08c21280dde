# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for references in texts: a `${...}` must lead to something, and be written as a reference is.

Only where a shell reads a text may it be something else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import LIMITS as CRITERIA
from ansible_collections.rack.recipes.plugins.module_utils.language.references import (
    HOST,
    WORDS,
    parse_reference,
)
from rack_recipes.errors import RecipeError
from rack_recipes.recipe.recipe_model import BETWEEN, Path
from rack_recipes.recipe.recipe_node import CONDITION_FIELDS, REFERENCE_FIELDS, Node, text
from rack_recipes.recipe.shell_texts import has_variables
from rack_recipes.recipe.substitution import REFERENCE
from rack_recipes.recipe.values_in_messages import closest, listed, quoted
from rack_recipes.recipe.yaml.reader import Document

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.module_utils.language.references import Parts

type Problem = tuple[str, str]  # what was expected, and the reference that was probably meant

STARTS = re.compile(r"\$\{(?![{%#])([^${}]*)")  # of a reference, and not a `$` before a template
# Text in braces that is meant as a reference: variables of a shell have no dots.
MEANT = re.compile(
    r"(?:params|item|matrix|step|own|peer)\.|[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*_v[0-9]+[@.\[]|[a-z0-9_]+(?:\.[a-z0-9_]+)+@"
)
VARIABLE = re.compile(r"vars\.([A-Za-z_][\w.]*)")
INDEX = re.compile(r"\[([0-9]+)\]")
DOTS = "a reference with dots only, such as ${links.up_v1.0}"
FUNCTIONS = ("majority", "median")
OF_KEYS = "a key has a version at its end"
WHOLE = f"a reference, such as ${{numbers.stats_v1.mean}} ({OF_KEYS})"
ANY: frozenset[str] = frozenset()
NUMBERS, LISTS = frozenset(("int", "float")), frozenset(("list",))
TYPES_TAKEN = {"any": ANY, "number": NUMBERS, "list": LISTS}
# The types of a parameter that the words of a condition take; of a mapping its own words do.
TYPES = {
    "value": ANY,
    **dict.fromkeys(("of", "percent", "by"), NUMBERS),
    **{word: TYPES_TAKEN[criterion.takes] for word, criterion in CRITERIA.items() if criterion.takes in TYPES_TAKEN},
}
STEP_WORDS = ("name", "attempt")
READING = (*REFERENCE_FIELDS, "params", "serve")  # the fields of steps and includes in which references are read
TOLD = ("hosts", "delegate_to", "depends_on")  # where others say why there can be none
# Variables of Ansible's that people write as references.
VARIABLES = ("inventory_hostname", "ansible_host", "ansible_user", "ansible_facts", "group_names", "groups", "hostvars")


@dataclass(frozen=True, slots=True)
class KnownNames:
    """What references may begin with at one place: words, and for some of them the names that may follow."""

    words: Collection[str]
    names: dict[str, tuple[str, ...]]
    types: dict[str, str]  # of the parameters
    is_shell: bool = False  # whether a shell reads the text, too


def step_references(steps: list[Node]) -> Iterator[RecipeError]:
    """What is wrong with the references of steps and of includes."""
    types = types_of(steps[0].document) if steps else {}
    for step in steps:
        for key in READING:
            if key in step.data:
                for path, found in reference_texts(step.data[key], (key,)):
                    yield from reference_errors(step, path, found, scope_of(step, path, types))


def _is_for_shell(step: Node, path: Path) -> bool:
    """Whether `${HOME}` in the argument at a path is meant for a shell."""
    user, where = (step.data["serve"], path[1:]) if path[0] == "serve" else (step.data, path)
    if len(where) < 2 or where[0] not in ("args", "params"):
        return False
    field, name = str(where[0]), where[1]
    return has_variables(text(user.get("type")), text(user.get("module")), str(name), user[field][name])


def no_references_elsewhere(document: Document) -> Iterator[RecipeError]:
    """Texts that nothing fills in, such as a description: a reference there would be shown as it is written."""
    top = Node(document, (), document.data)
    for path, found in reference_texts(document.data, ()):
        if not _reads(path):
            expected = "text without ${...}, since nothing fills it in here"
            yield top.error(path, expected, quoted(found))


def _reads(path: Path) -> bool:
    """Whether references in a text of a recipe are read, or have an error of their own."""
    match path:
        case ("steps", int(), field, *_):
            return field in (*READING, *TOLD)
        case ("hooks", _, int(), "args", *_) | ("params", _, "default", *_) | ("hosts",) | ("canary", "hosts"):
            return True
        case _:
            return False


def types_of(document: Document) -> dict[str, str]:
    """The types of a file's parameters by name; empty where one is unknown."""
    params = document.data.get("params")
    known = params if isinstance(params, dict) else {}
    return {name: text(param.get("type", "str")) if isinstance(param, dict) else "" for name, param in known.items()}


def scope_of(step: Node, path: Path, types: dict[str, str]) -> KnownNames:
    """What references may begin with at a path of a step. The lists of a loop are read before its items exist."""
    words = {"params", "step"} | ({HOST} if step.data.get("scope") != "run" else set())
    names = {"step": STEP_WORDS, "params": tuple(types)}
    is_shell = _is_for_shell(step, path)
    if step.is_include:
        return KnownNames(words, names, types, is_shell)
    if step.data.get("scope") in BETWEEN:
        words |= {"own", "peer"}
    if path[0] not in ("loop", "matrix"):
        words |= {"item", "index"} if "loop" in step.data else {"matrix", "index"} if "matrix" in step.data else set()
    matrix = step.data.get("matrix")
    return KnownNames(words, {**names, "matrix": tuple(matrix) if isinstance(matrix, dict) else ()}, types, is_shell)


def reference_errors(node: Node, path: Path, found: str, scope: KnownNames) -> Iterator[RecipeError]:
    """What is wrong with the references in the text `found`."""
    for start in STARTS.finditer(found):
        reference = REFERENCE.match(found, start.start())
        whole = reference[0] if reference else start[0] + found[start.end() : start.end() + 1]
        parts = parse_reference(reference) if reference else None
        inner = whole[2:-1] if reference else start[1]
        problem = problem_of(parts, inner, scope)
        if not problem and whole == found:
            problem = misplaced(path, parts, inner, scope)
        if not problem and parts is None and not scope.is_shell:
            problem = unknown(inner, scope)
        if problem:
            yield node.error(path, problem[0], quoted(whole), problem[1])
    for changed in _changed_by_template(found):
        expected = "a reference outside of what a template changes or compares (it is filled in before references are)"
        yield node.error(path, expected, quoted(changed))


def _changed_by_template(found: str) -> Iterator[str]:
    """Texts with a reference that a template would change or compare: it is filled in before references are."""
    if "${" not in found or not ("{{" in found or "{%" in found):
        return
    import jinja2  # few recipes need it

    nodes = jinja2.nodes
    try:
        tree = jinja2.Environment(autoescape=True).parse(found)
    except jinja2.TemplateError:
        return  # Ansible says what is wrong with it
    changing = (nodes.Filter, nodes.Test, nodes.Getattr, nodes.Getitem)
    changed = [next(node.iter_child_nodes(), None) for kind in changing for node in tree.find_all(kind)]
    compared = [constant for node in tree.find_all(nodes.Compare) for constant in node.find_all(nodes.Const)]
    for used in (*changed, *compared):
        if isinstance(used, nodes.Const) and isinstance(used.value, str) and "${" in used.value:
            yield used.value


def reference_texts(value: object, path: Path) -> Iterator[tuple[Path, str]]:
    """Every text in a value that may hold a reference, with its path."""
    if isinstance(value, str):
        if "${" in value:
            yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from reference_texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from reference_texts(item, (*path, index))


def problem_of(parts: Parts | None, inner: str, scope: KnownNames) -> Problem | None:
    """What is wrong with the text in braces; None where nothing is, or where it is not meant as a reference."""
    if parts is None:
        if variable := VARIABLE.fullmatch(inner):
            return "a variable of Ansible as a template", f'"{{{{ {variable[1]} }}}}"'
        if MEANT.match(inner):
            return malformed(inner)
        return misspelt(inner, scope)
    word, path, host = parts
    return word_problem(word, path, scope) if word in WORDS else key_problem(".".join([word, *path]), host)


def misspelt(inner: str, scope: KnownNames) -> Problem | None:
    """What is wrong with a text such as `param.vlan`, no key and nearly a word with a name; None for other texts."""
    first, _dot, rest = inner.partition(".")
    words = sorted(word for word in scope.words if word not in (HOST, "index"))
    near = closest(first, tuple(words)) if rest else ""
    name = rest.partition(".")[0]
    meant = REFERENCE.match(f"${{{near}.{rest}}}") if near else None
    if meant is None or parse_reference(meant) is None:
        return None
    if near in scope.names and name not in scope.names[near]:
        return None
    return f"a reference that begins with {' or '.join(words)}", f"${{{near}.{rest}}}"


def unknown(inner: str, scope: KnownNames) -> Problem:
    """What is wrong with any other text, and how to write one that is no reference."""
    is_step = HOST in scope.words
    such, remark = "${params.vlan} or ${host}" if is_step else "${params.vlan}", ""
    if "." in inner:
        such, remark = "${numbers.stats_v1.mean}", OF_KEYS
    remarks = [*filter(None, (remark, f"text that is none: {{{{ '$' }}}}{{{inner}}}" if is_step else ""))]
    expected = f"a reference, such as {such}" + (f" ({'; '.join(remarks)})" if remarks else "")
    return expected, nearest_reference(inner, scope)


def nearest_reference(inner: str, scope: KnownNames) -> str:
    """The reference, or the template of a variable of Ansible's, that a text in braces is most like."""
    known = {name: f"{{{{ {name} }}}}" for name in VARIABLES if HOST in scope.words}
    for word in ("params", "matrix"):
        known |= {name: f"${{{word}.{name}}}" for name in scope.names.get(word, ())}
    known |= {word: f"${{{word}}}" for word in scope.words if not WORDS[word]}
    return known.get(closest(inner, tuple(known)), "")


def malformed(inner: str) -> Problem:
    """What is wrong with a text that was meant as a reference, but cannot be read as one."""
    if INDEX.search(inner):
        return DOTS, f"${{{INDEX.sub(r'.\1', inner)}}}"
    word, at, host = inner.partition("@")
    if word.partition(".")[0] in WORDS:
        if at:
            return f"a reference without @ ('@{host}' is for context keys: ${{fan.rpm_v1@leaf1}})", f"${{{word}}}"
        return "a reference such as ${params.vlan}, without empty parts and spaces", ""
    if at and not host:
        return "a host, majority or median after @", f"${{{word}}}"
    if at and "_v" not in word:
        return "a context key with its version before @, such as ${fan.rpm_v1@median}", ""
    return "a reference such as ${numbers.stats_v1.mean}, without empty parts and spaces", ""


def key_problem(key: str, host: str) -> Problem | None:
    """What is wrong with a reference to a context key: indexes in brackets, or an unknown word after @."""
    if INDEX.search(key):
        return DOTS, f"${{{INDEX.sub(r'.\1', key)}{'@' if host else ''}{host}}}"
    word, dot, path = host.partition(".")
    if word in FUNCTIONS and dot:
        return f"the path before @{word}", f"${{{key}.{path}@{word}}}"
    if word.casefold() in FUNCTIONS and word not in FUNCTIONS:
        return "a host, majority or median after @", f"${{{key}@{word.casefold()}}}"
    return ("a host, majority or median after @", "") if host in ("all", "*") else None


def word_problem(word: str, path: list[str], scope: KnownNames) -> Problem | None:
    """What is wrong with a reference that begins with a word such as `params` or `item`."""
    if word not in scope.words:
        return MEANINGS[word] if "matrix" in scope.names else f"a reference to {' or '.join(sorted(scope.words))}", ""
    if word == "index" and path:
        return "${index}, a number", "${index}"
    if not path:
        return None
    if INDEX.search(".".join(path)):
        return DOTS, f"${{{INDEX.sub(r'.\1', '.'.join([word, *path]))}}}"
    return unknown_name(word, path, scope) if word in scope.names and path[0] not in scope.names[word] else None


def unknown_name(word: str, path: list[str], scope: KnownNames) -> Problem:
    """A name that does not exist."""
    names = scope.names[word]
    near = closest(path[0], names)
    known = f" ({listed(names) or 'there are none'})" if not near else ""
    return f"{NAMES[word]}{known}", f"${{{'.'.join([word, near, *path[1:]])}}}" if near else ""


def misplaced(path: Path, parts: Parts | None, inner: str, scope: KnownNames) -> Problem | None:
    """What is wrong with a text in a place where only a reference to a list or a number may be."""
    kinds = types_at(path)
    if kinds is None:
        return None
    if parts is None:
        return WHOLE, nearest_reference(inner, scope)
    word, rest, _host = parts
    kind = scope.types.get(rest[0], "") if word == "params" and len(rest) == 1 else ""
    if kinds and kind and kind not in kinds:
        return f"a parameter of type {' or '.join(sorted(kinds))}", ""
    return None


def types_at(path: Path) -> frozenset[str] | None:
    """The types that a parameter may have in a place, empty for any; None where any text may be."""
    if path == ("loop",) or (path[0] == "matrix" and len(path) == 2):
        return LISTS
    return TYPES.get(str(path[-1])) if path[0] in CONDITION_FIELDS else None


MEANINGS = {
    HOST: "a step that runs on hosts, for whose names ${host} stands",
    "item": "'loop' in this step, for whose items ${item} stands",
    "index": "'loop' or 'matrix' in this step, for whose instances ${index} counts",
    "matrix": "'matrix' in this step, for whose values ${matrix.NAME} stands",
    **{word: f"'scope: pair' or 'scope: group' in this step, for ${{{word}.address}}" for word in ("own", "peer")},
}
NAMES = {
    "params": "the name of a parameter in 'params' of this file",
    "matrix": "a name of this step's matrix",
    "step": "a word of the step",
}
