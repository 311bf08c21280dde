# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import enum
from collections import OrderedDict
from typing import NamedTuple

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    DEEPEST,
    LARGEST_VALUE,
    LONGEST_KEY,
    LONGEST_REASON,
    SHOWN,
    as_reason,
    check_key,
    check_size,
    check_value,
    copy_json,
    escape_unstorable,
    first_few,
    mark_if_long,
    shortened,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import cases


class Colour(str, enum.Enum):
    RED = "red"


class Number(enum.IntEnum):
    TWO = 2


class Ratio(float):
    """As numpy.float64 is: a float that looks different."""

    def __repr__(self):
        return f"Ratio({float(self)})"


class Point(NamedTuple):
    x: int
    y: int


def nested(levels):
    value = 1
    for _level in range(levels):
        value = [value]
    return value


@cases(__file__, "keys", "key", "good")
def test_keys(key, good):
    if good:
        assert check_key(key) == key
    else:
        with pytest.raises(ValueError) as caught:
            check_key(key)
        assert str(caught.value) == f"expected a context key such as numbers.stats_v1, got {key!r}"


def test_a_long_key_is_shortened_in_the_error():
    with pytest.raises(ValueError) as caught:
        check_key("A" * 1000)
    assert len(as_reason(caught.value)) < 300


@cases(__file__, "values", "value")
def test_json_passes_as_a_copy(value):
    checked = check_value(value)
    assert checked == value
    assert type(checked) is type(value)
    assert not isinstance(value, (list, dict)) or checked is not value


@cases(__file__, "values_refused", "value", "error")
def test_what_no_database_takes_is_refused_with_its_path(value, error):
    with pytest.raises(ValueError) as caught:
        check_value(value, "x")
    assert str(caught.value) == error


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ((1, (2,)), [1, [2]]),
        (Point(1, 2), [1, 2]),
        (OrderedDict(b=1, a=2), {"b": 1, "a": 2}),
        (Colour.RED, "red"),
        (Number.TWO, 2),
        (Ratio(0.5), 0.5),
        ({Colour.RED: [Number.TWO]}, {"red": [2]}),
    ],
)
def test_relatives_of_json_become_plain(value, expected):
    checked = check_value(value)
    assert checked == expected
    assert repr(checked) == repr(expected)


@pytest.mark.parametrize(
    ("value", "error"),
    [
        ({1, 2}, "value: expected JSON data, got a set"),
        (b"x", "value: expected JSON data, got a bytes"),
        ({"a": [object()]}, "value.a[0]: expected JSON data, got a object"),
        (1j, "value: expected JSON data, got a complex"),
        ({"a": {1: 2}}, "value.a: a mapping's key must be text, got 1"),
        ([float("nan")], "value[0]: nan is not a JSON number"),
        ({"a": float("-inf")}, "value.a: -inf is not a JSON number"),
        ([Ratio("inf")], "value[0]: inf is not a JSON number"),
        ([[], nested(DEEPEST)], "value[1]" + "[0]" * (DEEPEST - 1) + f": nested deeper than {DEEPEST} levels"),
    ],
)
def test_what_is_no_json_is_refused_with_its_path(value, error):
    with pytest.raises(ValueError) as caught:
        check_value(value)
    assert str(caught.value) == error


def test_as_deep_as_allowed():
    assert check_value(nested(DEEPEST)) == nested(DEEPEST)


def test_what_holds_itself_is_refused():
    value = []
    value += [value, value]
    with pytest.raises(ValueError) as caught:
        check_value(value)
    assert "nested deeper" in str(caught.value)


ADVICE = f"a key can hold {LARGEST_VALUE}: keep it with ctx.attach, and its digest under the key"


@pytest.mark.parametrize(
    "value",
    [
        "x" * (LARGEST_VALUE - 2),
        ["x" * (LARGEST_VALUE - 4)],
        "ä" * (LARGEST_VALUE // 2 - 1),
        "\n" * (LARGEST_VALUE // 2 - 1),
        [1] * (LARGEST_VALUE // 2 - 1),
        2**63 - 1,
        None,
    ],
)
def test_as_large_as_allowed(value):
    check_size(value, "a_v1")


@pytest.mark.parametrize(
    ("value", "where", "size"),
    [
        ("x" * (LARGEST_VALUE - 1), "a_v1", LARGEST_VALUE + 1),
        ("ä" * (LARGEST_VALUE // 2), "a_v1", LARGEST_VALUE + 2),
        ("\x01" * (LARGEST_VALUE // 6 + 1), "a_v1", LARGEST_VALUE // 6 * 6 + 8),
        ({"a": 1, "rows": [0, {"text": "x" * LARGEST_VALUE}]}, "a_v1.rows[1].text", LARGEST_VALUE + 2),
        ({"rows": [1] * LARGEST_VALUE}, "a_v1.rows", 2 * LARGEST_VALUE + 1),
        ({"a": "x" * (LARGEST_VALUE - 9), "b": "x" * 9}, "a_v1", LARGEST_VALUE + 15),
    ],
)
def test_what_is_too_large_is_refused_with_its_path(value, where, size):
    with pytest.raises(ValueError) as caught:
        check_size(value, "a_v1")
    assert str(caught.value) == f"{where}: {size} bytes of JSON, {ADVICE}"


def test_of_what_is_too_large_and_deep_a_part_of_the_path_is_named():
    value = "x" * LARGEST_VALUE
    for _level in range(90):
        value = [value]
    with pytest.raises(ValueError, match=r"a_v1\[0\]\[0\]\[0\]\[0\]\[0\]: "):
        check_size(value, "a_v1")


def test_a_key_has_a_longest():
    check_key("a" * (LONGEST_KEY - 3) + "_v1")
    with pytest.raises(ValueError, match=f"a context key may have {LONGEST_KEY} characters, got "):
        check_key("a" * (LONGEST_KEY - 2) + "_v1")


def test_a_copy_shares_nothing():
    value = {"a": [1, {"b": []}]}
    copy = copy_json(value)
    copy["a"][1]["b"].append(2)
    assert value == {"a": [1, {"b": []}]}


@pytest.mark.parametrize(
    ("text", "expected"), [("ä😀", "ä😀"), ("a\ud800b", "a\\ud800b"), ("a\udc80", "a\\udc80"), ("a\0b", "a\\x00b")]
)
def test_any_text_becomes_storable(text, expected):
    assert escape_unstorable(text) == expected
    escape_unstorable(text).encode()


@pytest.mark.parametrize(
    ("names", "told"),
    [("", ""), ("a", "a"), ("a b", "a, b"), ("a b c", "a, b and 1 more"), ("a b c d", "a, b and 2 more")],
)
def test_few_names_are_told(names, told):
    assert first_few(names.split(), 2) == told


def test_a_reason_is_short_and_storable():
    reason = as_reason("\n ä\ud800" + "x" * 10_000)
    assert reason.startswith("ä\\ud800x")
    assert reason.endswith("x... (cut: it had 10007 characters)")
    assert len(reason) == LONGEST_REASON
    assert as_reason("as it is ") == "as it is"


def test_a_long_value_in_a_message_stays_whole_until_it_is_cut():
    whole = "[" + "x" * SHOWN + "]"
    message = f"got {mark_if_long(whole)}, not {mark_if_long('short')} or {mark_if_long(whole)}"
    assert message.count(whole) == 2
    cut = f"got [{'x' * (SHOWN - 1)}..., not short or [{'x' * (SHOWN - 1)}..."
    assert shortened(message) == as_reason(message) == cut
    assert (
        shortened(f"got {mark_if_long(whole).replace('x' * 100, '*')}") == "got [**]"
    )  # what has become short is whole


def test_a_message_that_was_cut_in_a_long_value_is_cut_there():
    message = f"got {mark_if_long('x' * 1000)}, not 5"
    assert shortened(message[:500]) == "got " + "x" * SHOWN + "..."
    assert as_reason("NUL \0[ stays") == "NUL \\x00[ stays"
