# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.errors import CatalogError
from rack_recipes.recipe.catalog.scriptlet_declarations import read_sidecar

WHOLE = """\
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
    found = read_sidecar(WHOLE.encode(), "x.yml")
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
            "expected one of description, options, reads, writes, flags, scope, reads_results, reads_history,",
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
        ("scope: rn", "x.yml:1:8: expected one of host, run, got 'rn' (did you mean 'run'?)"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(text, expected):
    with pytest.raises(CatalogError) as caught:
        read_sidecar(text.encode(), "x.yml")
    assert expected in str(caught.value)


def test_all_problems_are_said_in_the_order_of_the_file():
    with pytest.raises(CatalogError) as caught:
        read_sidecar(b"flags: [1]\nwrites: [a]\nx: 1\n", "x.yml")
    assert [line.split(": ")[0] for line in str(caught.value).splitlines()] == ["x.yml:1:9", "x.yml:2:10", "x.yml:3:1"]
