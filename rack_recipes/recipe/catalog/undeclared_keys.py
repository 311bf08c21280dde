# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys that a scriptlet sets beside those that it declares, behind which nothing is ordered, and keys never set."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Sequence

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import first_few
from rack_recipes.recipe.scriptlet_entry import ScriptletEntry

KEY = re.compile(r"[a-z0-9_.]+_v[0-9]+")
NAMED = 5
WARNING = (
    "{who} sets {keys}, which {module} does not declare in `writes` (only {declared}): nothing is ordered behind it "
    "for that key; correct its name, or declare it"
)
NONE_SET = "step {} passed and set no key: {} declares {}, and never names it; set it there, or declare no `writes`"


def undeclared(keys: Iterable[str], declared: Sequence[str]) -> list[str]:
    """The keys that are not declared, in order."""
    return sorted({*keys} - {*declared})


def in_words(who: str, keys: Sequence[str], module: str, declared: Sequence[str]) -> str:
    """What people are told of such keys."""
    return WARNING.format(
        who=who, keys=first_few([*keys], NAMED), module=module, declared=first_few([*declared], NAMED)
    )


def undeclared_in_code(entry: ScriptletEntry) -> list[str]:
    """The keys that the code of a Python class names in `ctx.set`, and that are not among those that it declares.

    Only keys that stand there as text are seen. A class that declares none may set any.
    """
    if entry.kind != "python" or not entry.writes:
        return []
    own = [node for node in ast.parse(entry.path.read_bytes()).body if getattr(node, "name", "") == entry.function]
    calls = [node for one in own for node in ast.walk(one) if isinstance(node, ast.Call) and node.args]
    first = [call.args[0] for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "set"]
    keys = [one.value for one in first if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return undeclared(filter(KEY.fullmatch, keys), entry.writes)


def none_set(step: str, entry: ScriptletEntry) -> str:
    """What people are told of a step that passed without a key, of a scriptlet that `names_none`."""
    return NONE_SET.format(step, entry.name, first_few([*entry.writes], NAMED))


def names_none(entry: ScriptletEntry) -> bool:
    """Whether a scriptlet of the project names none of its keys but where it declares them.

    It may still set one whose name it makes up. Code that it imports from beside it may set them, too.
    """
    if entry.source != "project" or entry.patterns is not None:
        return False
    text = entry.path.read_bytes()
    if entry.kind != "python":
        return not any(key.encode() in text for key in entry.writes)
    tree = ast.parse(text)
    if any(
        isinstance(node, ast.ImportFrom) and (node.module or "").startswith("scriptlets") for node in ast.walk(tree)
    ):
        return False
    named = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return all(named.count(key) <= 1 for key in entry.writes)
