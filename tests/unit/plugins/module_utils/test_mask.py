# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import cases, table


@cases(__file__, "mask", "secrets", "text", "masked")
def test_texts(secrets, text, masked):
    mask = Mask(secrets)
    assert mask.mask(text) == masked
    assert mask.mask(masked) == masked


@pytest.mark.parametrize(("secrets", "needed"), [((), False), (("",), False), (("a",), True), (["abc"], True)])
def test_without_secrets_there_is_nothing_to_do(secrets, needed):
    assert bool(Mask(secrets)) is needed


@pytest.mark.parametrize(
    ("value", "masked"),
    [
        ("my hunter2", "my ********"),
        (
            {"a": ["hunter2", {"hunter2": None}], "b": ("x", True)},
            {"a": ["********", {"********": None}], "b": ["x", True]},
        ),
        ("42", "********"),
        (["x 42 x", 42, "ok"], ["x 42 x", 42, "ok"]),
        ({"42": "42"}, {"********": "********"}),
        ([1234, 1234.5, 12345], ["********", 1234.5, 12345]),
        ([1.5e3, 1500, None, False], ["********", "********", None, False]),
        ([-1234, 1234.0, -1234.0, 1.234e3], ["********"] * 4),
        ([2**70 + 1, float(2**70 + 1), 2**70 + 2], ["********", "********", 2**70 + 2]),
        ([float("inf"), 0, 0.0, 7, 7.0], [float("inf"), 0, 0.0, 7, "********"]),
    ],
)
def test_values(value, masked):
    numbers = ["42", "1234", "1500.0", str(2**70 + 1), "inf", "nan", "1e999", "0000", "7.0", "9" * 5000]
    assert Mask(["hunter2", "true", *numbers]).mask_value(value) == masked


@table("value", "names")
def test_names_that_become_the_same_lose_no_entry(value, names):
    mask = Mask(["hunter2", "HUNTER3"])
    masked = mask.mask_value(value)
    assert masked == dict(zip(names, value.values()))
    assert mask.mask_value(masked) == masked


def test_many_names_that_become_the_same_take_no_time():
    secrets = [f"secret{number:04}" for number in range(6000)]
    start = time.process_time()
    assert len(Mask(secrets).mask_value(dict.fromkeys(secrets))) == len(secrets)
    assert time.process_time() - start < 3  # 0.4 s on the machine it was written on


def test_what_is_masked_is_a_new_value():
    value = {"a": ["hunter2"]}
    Mask(["hunter2"]).mask_value(value)
    assert value == {"a": ["hunter2"]}


LARGE = {
    "backslashes": "\\" * 500_000,
    "quoted backslashes": "%5c" * 150_000,
    "spaces": "a " * 250_000,
    "blanks": " " * 500_000,
    "lines": "\n" * 500_000,
    "indented lines": "a\n    " * 80_000,
    "the beginning": "hunter" * 80_000,
    "all of it": "hunter2" * 70_000,
    "escapes": "\\u005c" * 80_000,
    "percent signs": "%25" * 150_000,
    "a's": "a" * 500_000,
    "log lines": "2026-11-25 12:00:00 INFO the quick brown fox jumps over the lazy dog\n" * 7_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_no_text_takes_long(text):
    mask = Mask(["hunter2", "\\\\\\", "%25%25%25b", "a a a b", "aaaaaaaaaab", '"""x', "\\%5c\\x"])
    start = time.process_time()
    mask.mask(text)
    assert time.process_time() - start < 3


QUOTED = {
    "single quotes": "'" * 50_000,
    "quotes for a shell": "'\"'\"'" * 20_000,
    "quotes and blanks": "' \" " * 25_000,
    "backslashes": "\\" * 50_000,
    "backslashes and quotes": "\\'" * 25_000,
    "entities": "&#39;&quot;" * 10_000,
    "ampersands": "&amp;" * 50_000,
    "XML": '<a b="c">it\'s</a>\n' * 20_000,
}


@pytest.mark.parametrize("text", QUOTED.values(), ids=QUOTED)
def test_no_quotes_take_long(text):
    mask = Mask(["'x'y", "' '' 'x", "&&&x", "<'&'>", "\\' 'x", "&amp;&b"])
    start = time.process_time()
    mask.mask(text)
    assert time.process_time() - start < 3


def test_a_key_file_is_a_secret_too():
    key = "\n".join(f"{number:064x}" for number in range(50))
    start = time.process_time()
    assert Mask([key]).mask(f"<{key}>") == "<********>"
    assert time.process_time() - start < 1
