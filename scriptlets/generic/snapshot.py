# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a host is like now, and what is different from an earlier run."""

from __future__ import annotations

from fnmatch import fnmatchcase

from rack_recipes import Failed, Scriptlet

NAMES = ("name", "prefix", "port", "id")
"""Fields by which an entry of a list is known, whatever its place."""

ANY = "*"
NAMED = 10  # differences in a reason


class Snapshot(Scriptlet):
    """What a host is like now, and what is different from an earlier run.

    `rack-recipes ctx export RUN` prints the values of the earlier run, and `run --context FILE` starts with them.
    Without them the snapshot is only taken. A key that no step of this run has set is left out. Entries of a list are
    known by their `name`, `prefix`, `port` or `id`, whatever their order.
    """

    options = {
        "keys": {
            "type": "list",
            "elements": "str",
            "required": True,
            "description": "The keys of the context that count",
        },
        "ignore": {
            "type": "list",
            "elements": "str",
            "default": [
                "*.downs", "*.errors", "*.counters.*", "*.dropped", "*.reason", "*.prefixes", "*.link_speed",
                "*_percent",
            ],
            "description": "Patterns of fields that change by themselves",
        },
        "expected": {
            "type": "dict",
            "default": {},
            "description": (
                "Differences that may be there: a pattern of KEY.FIELD to the value that it must have now, also where "
                "it did not change; `*` for any"
            ),
        },
    }  # fmt: skip
    reads = None
    writes = {
        "snapshot.taken_v1": "the values of the keys, by key",
        "snapshot.differences_v1": (
            "a list of `field`, `before`, `now`, and in `do` what to do about it: nothing where it was expected"
        ),
    }
    needs = ("the keys, set by earlier steps",)
    verdicts = {"failed": "a difference is not expected, an expected one is not there, or none of the keys was set"}
    example = """
        - {name: ports, module: link.ports, args: {ports: [eth0]}}
        - name: compare
          module: generic.snapshot
          args: {keys: [links.ports_v1], expected: {links.ports_v1.eth0.mtu: 9000}}
    """

    def run(self, ctx, params):
        before = ctx.get("snapshot.taken_v1")
        now = {key: ctx.get(key) for key in params["keys"] if key in ctx}
        ctx.set("snapshot.taken_v1", now)
        ctx.check("keys", len(now), "keys", min=1)
        if not now:
            raise Failed(f"none of {', '.join(params['keys'])} was taken: look at the steps before this one")
        if before is None:
            return
        found = compare(before, now, params["ignore"], params["expected"])
        ctx.set("snapshot.differences_v1", found)
        ctx.measure("expected", len(found) - len(wrong := [each for each in found if each["do"]]), "differences")
        if ctx.check("unexpected", len(wrong), "differences", max=0) == "failed":
            raise Failed(told(wrong))


def compare(before, now, ignore, expected):
    """The differences, each with `field`, `before`, `now`, and in `do` what is wrong with it: nothing if expected."""
    old, new = fields(before), fields(now)
    found = []
    for field in sorted(old.keys() | new.keys()):
        if any(fnmatchcase(field, pattern) for pattern in ignore):
            continue
        wanted = next((value for pattern, value in expected.items() if fnmatchcase(field, pattern)), None)
        said = judged(old.get(field), new.get(field), wanted)
        if said is not None:
            found.append({"field": field, "before": old.get(field), "now": new.get(field), "do": said})
    return found


def judged(before, now, wanted):
    """What is wrong with a field; empty for an expected difference, None where there is nothing to tell."""
    if wanted is not None and wanted != ANY and str(now) != str(wanted):
        return f"must be {wanted}: the change did not happen here, or not as it should"
    if before == now:
        return None
    return "" if wanted is not None else "undo it, or name it in `expected`"


def fields(value, name=""):
    """The single values inside of a value, by their paths.

    Entries of lists are known by a name of theirs, if all have one, else by their place.
    """
    if isinstance(value, dict) and value:
        pairs = value.items()
    elif isinstance(value, list) and value:
        pairs = named(value)
    else:
        return {name: value} if name else {}
    inside = [fields(inner, f"{name}.{key}" if name else key) for key, inner in pairs]
    return {path: leaf for each in inside for path, leaf in each.items()}


def named(entries):
    """The entries of a list with a name for each."""
    for name in NAMES:
        names = [str(entry.get(name)) if isinstance(entry, dict) and name in entry else "" for entry in entries]
        if all(names) and len(set(names)) == len(names):
            return list(zip(names, entries))
    return [(str(number), entry) for number, entry in enumerate(entries)]


def told(wrong):
    """Differences in words, with what to do."""
    said = [f"{each['field']} was {shown(each['before'])}, is {shown(each['now'])}: {each['do']}" for each in wrong]
    more = [f"and {len(said) - NAMED} more"] if len(said) > NAMED else []
    return "; ".join([*said[:NAMED], *more])


def shown(value):
    """A value as it is told; a field that is not there is `missing`."""
    return "missing" if value is None else str(value)[:60]
