# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import settings as limits
from hypothesis import strategies as st

from ansible_collections.rack.recipes.tests.unit.plugins.run_playbooks import ansible
from rack_recipes.plan.compile.yaml_text import WIDTH, Verbatim, to_yaml, verbatim

LOADERS = [yaml.SafeLoader, *([yaml.CSafeLoader] if yaml.__with_libyaml__ else [])]
AWKWARD = [
    *(
        "",
        "~",
        "null",
        "yes",
        "No",
        "ON",
        "y",
        "true",
        "=",
        "<<",
        "-",
        "?",
        "...",
        "---",
        "!x",
        "&a",
        "*a",
        "%a",
        "@a",
        "`a",
    ),
    *("1e3", "0x1f", "010", "0o17", "1_000", "1:30", "2026-01-01", "-1", "+1", ".5", ".inf", "-.INF", ".nan", "0b1"),
    *(" a", "a ", "- x", "? a", "a: b", "a:", ":a", "a #b", "#a", "[a", "a]", "{a", "a,b", ",a", "'a", "it's", '"a"'),
    *("\n", "a\n", "\na", "a\n\n", "a\n\n\nb", "a\n b", " a\nb", "a \nb", "a\n\tb", "a\r\nb", "\ta", "a\tb"),
    *(
        "{{ x }}",
        "{% if x %}",
        "${a.b_v1}",
        "\\",
        "\\n",
        "\x00",
        "\x1b[31m",
        "\x7f",
        "\x85",
        "\u2028",
        "\ufeff",
        "\ufffe",
    ),
    *("\U0001f600", "ü", "x" * 500, "\\" * 300, "\x7f" * 200, " " * 300, "ab " * 100, "a\u2028" * 99, "'" * 200),
]
TEXT = st.text(max_size=60) | st.text("ab .-#:{}[]\"'\\\n\t\u2028\x85\ufeff", max_size=300) | st.sampled_from(AWKWARD)
SCALAR = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)


def as_json(value: Any) -> str:
    """Text that tells 1 from 1.0 and true, and keeps the order of keys."""
    return json.dumps(value)


@limits(max_examples=250, deadline=None)
@given(JSON)
@example([[]])
@example({"a": {}, "b": [{}, [[1], [[2]]]]})
@example({"k" * 1500: {"k" * 1200: [1, 2]}, "j" * 1500: "x", "i" * 1500: "x y " * 100})
@example([{"k" * 1500: 1}])
def test_every_reader_finds_the_same_data(value: Any):
    text = to_yaml(value)
    for loader in LOADERS:
        assert as_json(yaml.load(text, loader)) == as_json(value)
    assert to_yaml(value) == text


@pytest.mark.parametrize("value", AWKWARD, ids=lambda value: ascii(value)[:30])
def test_awkward_text_as_value_key_and_item(value: str):
    data = {value: value, "list": [value, [value]], "nested": [{value: [value, "x"]}]}
    for loader in LOADERS:
        assert yaml.load(to_yaml(data), loader) == data


@pytest.mark.parametrize("number", [0, -1, 2**63, 0.1, 1e16, 1e-7, -2.5e300, 5e-324, 1e22, 123456789.125, -0.0])
def test_numbers_keep_their_type(number: float):
    for loader in LOADERS:
        assert as_json(yaml.load(to_yaml([number]), loader)) == as_json([number])


@pytest.mark.parametrize("value", [float("inf"), float("nan"), object()])
def test_what_is_not_json_is_refused(value: object):
    with pytest.raises((ValueError, TypeError)):
        to_yaml([value])


@pytest.mark.parametrize(
    "value", ["word " * 200, "x" * 1000, "\\" * 500, "a\x7f" * 300, "x" * 59 + " y", ("a" * 59 + " ") * 9]
)
def test_no_line_is_too_long(value: str):
    lines = to_yaml([{"step": {"args": {"text": value}}}]).splitlines()
    assert max(map(len, lines)) <= WIDTH
    assert all(line == line.rstrip() for line in lines)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"name": "Stage 1, a, b"}, "name: Stage 1, a, b\n"),
        ({"tags": ["a", "b-c", "1", 1, None, True, "d,e"]}, 'tags: [a, b-c, "1", 1, null, true, "d,e"]\n'),
        ({"src": "./data/x.csv", "to": "/etc/motd"}, "src: ./data/x.csv\nto: /etc/motd\n"),
        ({"a": {"b": {}}, "c": []}, "a:\n  b: {}\nc: []\n"),
        ([{"a": 1, "b": [{"c": 2}]}], "- a: 1\n  b:\n    - c: 2\n"),
        ({"script": "set -e\n\nls  -l\n"}, "script: |\n  set -e\n\n  ls  -l\n"),
        ({"lines": "a\nb"}, "lines: |-\n  a\n  b\n"),
        (["a\nb\n", "c"], "- |\n  a\n  b\n- c\n"),
        ({"ends": "a\n\n"}, 'ends: "a\\n\\n"\n'),
    ],
)
def test_it_reads_well(value: Any, text: str):
    assert to_yaml(value) == text


TEMPLATES = [
    "{{ 1 + 1 }}",
    "a {% if x %} b",
    "{# gone #}",
    "two{{2}}\\d",
    "{{ 1 + 1 }}\nand\n",
    "{{ 1 + 1 }}\n\n\nx",
    "{{ 1 }} " * 60,
]


@pytest.mark.parametrize("text", TEMPLATES)
def test_text_that_looks_like_a_template_is_marked(text: str):
    data = {"value": text, "list": [text, "plain", {"item": (text,)}], "plain": ["${a_v1}", "{ {", 1, None, True]}
    marked = verbatim(data)
    assert as_json(marked) == as_json(data)
    assert all(
        isinstance(value, Verbatim) for value in (marked["value"], marked["list"][0], marked["list"][2]["item"][0])
    )
    assert not any(isinstance(value, Verbatim) for value in (marked["list"][1], *marked["plain"]))
    lines = to_yaml(marked).splitlines()
    assert sum("!unsafe " in line for line in lines) == 3
    assert max(map(len, lines)) <= WIDTH
    for loader in LOADERS:
        assert as_json(yaml.load(to_yaml(marked).replace("!unsafe ", ""), loader)) == as_json(data)


def test_ansible_leaves_what_is_marked_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    told = {"texts": TEMPLATES, "nested": {text: [text, {"x": text}] for text in TEMPLATES}}
    asked = {"that": [{"matches": text} for text in TEMPLATES]}
    task = {"ansible.builtin.set_fact": {"kept": [verbatim(asked), "{{ told }}", "{{ 1 + 1 }}"]}}
    copied = {"ansible.builtin.copy": {"content": "{{ kept | to_json }}", "dest": str(tmp_path / "kept.json")}}
    play = {"hosts": "all", "gather_facts": False, "vars": {"told": verbatim(told)}}
    Path("play.yml").write_text(to_yaml([{**play, "tasks": [task, copied]}]))
    done = ansible("playbook", "-i", "localhost,", "-c", "local", "play.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(Path("kept.json").read_text()) == [asked, told, 2]
