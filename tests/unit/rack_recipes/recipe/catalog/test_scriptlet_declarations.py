# SPDX-License-Identifier: GPL-3.0-or-later

"""What a scriptlet declares of itself, in its Python class or its sidecar."""

from __future__ import annotations

import pytest

from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog.scriptlet_declarations import read_python, read_sidecar

WHOLE = '''
raise SystemExit("this file is never run")

from somewhere.scriptlet import Scriptlet

class LinkErrors(Scriptlet):
    """Error counters of one link.

    More about them.
    """

    options: dict = {"name": {"type": "str", "required": True, "choices": ["a" "b", "c"]}, "limit": {"default": -1.5}}
    reads = ()
    writes = ["link.errors_v1"]
    scope = "run"
'''


def names(code: str) -> list[str]:
    return [known.name for known in read_python(code.encode(), "x.py")]


def test_a_class_is_read_without_running_it():
    (known,) = read_python(WHOLE.encode(), "x.py")
    assert known.name == "LinkErrors"
    assert known.description == "Error counters of one link."
    assert known.declared == {
        "options": {"name": {"type": "str", "required": True, "choices": ["ab", "c"]}, "limit": {"default": -1.5}},
        "reads": [],
        "writes": ["link.errors_v1"],
        "scope": "run",
    }


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (
            "from rack_recipes import (\n    Faild,\n)",
            "x.py:2:5: rack_recipes has no name 'Faild' (did you mean 'Failed'?)",
        ),
        ("from rack_recipes import qqq", "x.py:1:26: rack_recipes has no name 'qqq'; there are ContextView, Failed, "),
        ("from rack_recipes import load_run", "x.py:1:26: rack_recipes.load_run is for programs on the controller"),
    ],
)
def test_a_short_name_that_is_not_there(code: str, expected: str):
    with pytest.raises(CatalogError) as error:
        read_python(code.encode(), "x.py")
    assert str(error.value).startswith(expected)


def test_what_is_not_declared_is_left_out():
    (known,) = read_python(b"class A(BaseScriptlet): pass", "x.py")
    assert known.declared == {}
    assert known.description == ""


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("class A(Scriptlet): pass", ["A"]),
        ("class A(BaseScriptlet): pass", ["A"]),
        ("class A(ShellScriptlet): pass", ["A"]),
        ("class A(base.BaseScriptlet): pass", ["A"]),
        ("import rack_recipes\nclass A(rack_recipes.Scriptlet): pass", ["A"]),
        ("from rack_recipes import *\nclass A(Scriptlet): pass", ["A"]),
        ("from x import Scriptlet as S\nclass A(S): pass", ["A"]),
        ("class A(Scriptlet): pass\nclass B(A): pass", ["A", "B"]),
        ("class B(A): pass\nclass A(Scriptlet): pass", ["B", "A"]),
        ("class A(B): pass\nclass B(A): pass", []),
        ("class A(Generic[T], Scriptlet): pass", ["A"]),
        ("@register_scriptlet\nclass A: pass", ["A"]),
        ("@core.register_scriptlet\nclass A: pass", ["A"]),
        ("@register_scriptlet()\nclass A: pass", ["A"]),
        ("from x import register_scriptlet as mark\n@mark\nclass A: pass", ["A"]),
        ("class BaseScriptlet: pass", []),
        ("class BaseScriptlet: pass\nclass ShellScriptlet(BaseScriptlet): pass", []),
        ("class A(Other): pass\n@other\nclass B: pass\nx = 1", []),
        ("", []),
    ],
)
def test_which_classes_are_scriptlets(code, expected):
    assert names(code) == expected


def test_declarations_are_inherited_inside_a_file():
    code = b'class A(Scriptlet):\n  writes = ("a_v1",)\n  reads = ("r_v1",)\nclass B(A):\n  writes = ("b_v1",)'
    assert read_python(code, "x.py")[1].declared == {"reads": ["r_v1"], "writes": ["b_v1"]}


def test_a_notice_of_deprecation_is_not_inherited():
    code = b'class A(Scriptlet):\n  deprecated = "use B"\n  writes = ("a_v1",)\nclass B(A):\n  pass'
    found = read_python(code, "x.py")
    assert [known.declared for known in found] == [{"deprecated": "use B", "writes": ["a_v1"]}, {"writes": ["a_v1"]}]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("def f(:\n", "x.py:1:7: not valid Python: invalid syntax"),
        ("class A(Scriptlet):\n  options = build()", "x.py:2:13: options must be a literal"),
        ("class A(Scriptlet):\n  options = {**BASE}", "x.py:2:13: options must be a literal, since it is read"),
        ("class A(Scriptlet):\n  options = {1: {}}", "x.py:2:13: expected text as keys of options"),
        ("class A(Scriptlet):\n  writes = (KEY,)", "x.py:2:13: writes must be a literal"),
        ('class A(Scriptlet):\n  writes = ("a_v1")', "x.py:2:13: expected a list, each item a context key"),
        ('class A(Scriptlet):\n  writes = {"A": "x"}', "x.py:2:13: expected a context key"),
        ('class A(Scriptlet):\n  writes = {"a_v1": ""}', "x.py:2:21: expected what this key holds, with units"),
        ('class A(Scriptlet):\n  verdicts = {"faild": "x"}', "(did you mean 'failed'?)"),
        ('class A(Scriptlet):\n  verdicts = ("failed",)', "x.py:2:14: expected a mapping such as {failed:"),
        ('class A(Scriptlet):\n  verdicts = {"failed": 1}', "x.py:2:25: expected when a step gets this verdict"),
        ('class A(Scriptlet):\n  needs = "root"', "x.py:2:11: expected a list, each item a tool"),
        ("class A(Scriptlet):\n  example = 1", "x.py:2:13: expected text: steps of a recipe"),
        ('class A(Scriptlet):\n  options = {"a": {"unit": 1}}', "expected text such as MiB"),
        ('class A(Scriptlet):\n  options = {"a": {"source": 1}}', "expected text: where the default is from"),
        ('class A(Scriptlet):\n  writes = ("a_v1", "Numbers")', "x.py:2:21: expected a context key"),
        ('class A(Scriptlet):\n  writes = ("a_v1", b"x_v1")', "x.py:2:21: expected JSON data in writes, got b'x_v1'"),
        ('class A(Scriptlet):\n  scope = "rnu"', "expected one of host, run, got 'rnu' (did you mean 'run'?)"),
        (
            'class A(Scriptlet):\n  options = {\n    "src": {"type": "path",\n            "requird": True}}',
            "x.py:4:13: expected one of type, elements, required, no_log, choices, aliases, options, default",
        ),
        ('class A(Scriptlet):\n  options = {"n": {"type": "integer"}}', "x.py:2:28: expected one of str, path, bool"),
        ("class A(Scriptlet):\n  deprecated = True", "x.py:2:16: expected one line that names what to use instead"),
        ("class A(Scriptlet):\n  deprecated = NOTICE", "x.py:2:16: deprecated must be a literal"),
        ("class A(Scriptlet):\n  options = " + "[" * 300 + "]" * 300, "x.py"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(code, expected):
    with pytest.raises(CatalogError) as caught:
        read_python(code.encode(), "x.py")
    assert expected in str(caught.value)


def test_nothing_is_declared_by_none():
    code = b"class A(Scriptlet):\n  options = None\n  reads = None"
    assert read_python(code, "x.py")[0].declared == {"options": None, "reads": None}


def test_an_odd_escape_is_no_error():
    assert names('class A(Scriptlet):\n    pattern = "\\d"') == ["A"]


WHOLE_SIDECAR = """\
---
description: Sectors of a disk
options:
  device: {type: str, required: true, description: The disk.}
  level: {type: int, default: 1, choices: [1, 2]}
  names: {type: list, elements: str, aliases: [name], default: [a]}
  deep: {type: dict, options: {x: {type: bool, default: false}}}
reads: []
writes: [disk.sectors_v1]
flags: [-O2, -lm]
deprecated: use disk.sectors_v2
"""


def test_a_whole_sidecar():
    found = read_sidecar(WHOLE_SIDECAR.encode(), "x.yml")
    assert found["description"] == "Sectors of a disk"
    assert found["options"]["device"] == {"type": "str", "required": True, "description": "The disk."}
    assert found["deprecated"] == "use disk.sectors_v2"
    assert (found["reads"], found["writes"], found["flags"]) == ([], ["disk.sectors_v1"], ["-O2", "-lm"])


@pytest.mark.parametrize("text", ["description: Short", "options:\nreads:\n"])
def test_everything_may_be_left_out(text):
    assert read_sidecar(text.encode(), "x.yml")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "x.yml:1:1: expected a mapping with description, options and writes, got an empty file"),
        ("- a", "x.yml:1:1: expected a mapping with description, options and writes, got a list"),
        ("text", "x.yml:1:1: expected a mapping with description, options and writes, got 'text'"),
        ("description: a\n writes: b", "x.yml:2:"),
        (
            "descripton: a",
            "expected one of description, options, reads, writes, envelope, flags, scope, reads_results,",
        ),
        ("scope: run\nreads_results: 1", "x.yml:2:16: expected true or false, got the number 1"),
        ("scope: run\nreads_history: [3]", "x.yml:2:17: expected the name of a measurement or of a context key"),
        ("reads_results: true", "x.yml:1:16: expected scope: run beside it, since only such a step sees the whole run"),
        ("scope: host\nreads_history: [rate]", "x.yml:2:16: expected scope: run beside it"),
        ("descripton: a", "(did you mean 'description'?)"),
        ("description: [a]", "x.yml:1:14: expected text, got a list"),
        ("options: [a]", "x.yml:1:10: expected a mapping of options"),
        ("options:\n  device: str", "x.yml:2:11: expected a mapping such as {type: str, required: true}, got 'str'"),
        ("options:\n  a-b: {}", "x.yml:2:3: expected an option's name of letters, digits and '_', got 'a-b'"),
        (
            "options:\n  port: {}\n  Port: {}",
            "x.yml:3:3: expected no name that is 'port' in capitals, as scripts are given it, got 'Port'",
        ),
        ("options:\n  a: {typ: str}", "x.yml:2:7: expected one of type,"),
        ("options:\n  a: {type: string}", "(did you mean 'str'?)"),
        ("options:\n  a: {type: number}", "x.yml:2:13: expected one of str, path, bool, int, float"),
        ("options:\n  a: {required: yes}", "x.yml:2:17: expected true or false, got 'yes'"),
        ("options:\n  a: {type: int, default: x}", "x.yml:2:27: expected a default of type int, got 'x'"),
        ("options:\n  a: {required: true, default: x}", "expected no default beside required: true, got 'x'"),
        ("options:\n  a: {type: int, min: x}", "x.yml:2:23: expected a number, got 'x'"),
        ("options:\n  a: {type: int, min: 2, default: 1}", "takes (argument 'a': expected 2 or more, got 1)"),
        ("options:\n  a: {choices: [b], default: x}", "expected one of the choices b, got 'x'"),
        (
            "options:\n  a: {type: list, elements: int, default: [1, x]}",
            "x.yml:2:43: expected a default that its own option takes (argument 'a[1]': expected a whole number,",
        ),
        (
            "options:\n  a: {type: dict, options: {b: {required: true}}, default: {}}",
            "expected a default that its own option takes (argument 'a.b' is required)",
        ),
        ("options:\n  a: {type: int, choices: [1, '2']}", "x.yml:2:31: expected a choice of type int, got '2'"),
        ("options:\n  a: {choices: [a, 1]}", "x.yml:2:20: expected a choice of type str, got the number 1"),
        ("options:\n  a: {type: dict, options: {b: {typ: int}}}", "x.yml:2:33: expected one of type,"),
        ("writes: disk.sectors_v1", "x.yml:1:9: expected a list, each item a context key"),
        ("writes: [disk.sectors]", "x.yml:1:10: expected a context key such as numbers.stats_v1"),
        ("writes:", "x.yml:1:8: expected a list, each item a context key"),
        ("flags: [1]", "x.yml:1:9: expected a flag of the C compiler, such as -O2, got the number 1"),
        (
            "deprecated: true",
            "x.yml:1:13: expected one line that names what to use instead, such as: use steps.probe_v2",
        ),
        ("deprecated:", "such as: use steps.probe_v2, got nothing"),
        ("deprecated: ''", "x.yml:1:13: expected one line that names what to use instead"),
        ('deprecated: "a\\nb"', "x.yml:1:13: expected one line that names what to use instead"),
        ("envelope: non", "x.yml:1:11: expected none, got 'non' (did you mean 'none'?)"),
        ("envelope:", "x.yml:1:10: expected none, got nothing"),
        (
            "writes: {a.b_v1: {pattern: x}}",
            "x.yml:1:18: expected what this key holds, with units (a pattern needs envelope: none), got a mapping with",
        ),
        (
            "envelope: none\nwrites: [a.b_v1]",
            "x.yml:2:9: expected a mapping of each key to a pattern such as {pattern: 'up ([0-9]+) s'} beside",
        ),
        ("envelope: none\nwrites: {a.b_v1: text}", "x.yml:2:18: expected a pattern such as {pattern: 'up"),
        ("envelope: none\nwrites: {a.b_v1: {type: int}}", "x.yml:2:18: expected a pattern such as {pattern: 'up"),
        ("envelope: none\nwrites: {a.b_v1: {pattern: 3}}", "x.yml:2:28: expected text, got the number 3"),
        (
            "envelope: none\nwrites: {a.b_v1: {pattern: '(x'}}",
            "x.yml:2:28: expected a regular expression with one group, or with named groups, got '(x' (missing ), unte",
        ),
        (
            "envelope: none\nwrites: {a.b_v1: {pattern: '(x)(y)'}}",
            "got '(x)(y)' (2 groups: name those that count, as in (?P<name>...), and begin others with (?:)",
        ),
        (
            "envelope: none\nwrites: {a.b_v1: {pattern: x, type: number}}",
            "x.yml:2:37: expected one of str, int, float, got 'number'",
        ),
        (
            "envelope: none\nwrites: {a.b_v1: {pattern: x, optinal: true}}",
            "x.yml:2:31: expected one of pattern, type, optional, description, got 'optinal' (did you",
        ),
        ("scope: rn", "x.yml:1:8: expected one of host, run, got 'rn' (did you mean 'run'?)"),
    ],
)
def test_what_is_wrong_in_a_sidecar_is_said_with_its_place(text, expected):
    with pytest.raises(CatalogError) as caught:
        read_sidecar(text.encode(), "x.yml")
    assert expected in str(caught.value)


def test_all_problems_are_said_in_the_order_of_the_file():
    with pytest.raises(CatalogError) as caught:
        read_sidecar(b"flags: [1]\nwrites: [a]\nx: 1\n", "x.yml")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == ["x.yml:1:9", "x.yml:2:10", "x.yml:3:1"]
