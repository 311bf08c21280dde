# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import math
from contextlib import suppress
from decimal import Decimal
from fractions import Fraction
from urllib.parse import quote, quote_plus

import pytest

pytest.importorskip("hypothesis")  # not everywhere that targets' Pythons are tested
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ansible_collections.rack.recipes.plugins.module_utils.context_view import ContextView
from ansible_collections.rack.recipes.plugins.module_utils.executor.step.retries_and_hooks import RoundFigures
from ansible_collections.rack.recipes.plugins.module_utils.language.criteria import judge
from ansible_collections.rack.recipes.plugins.module_utils.language.exact_numbers import (
    difference,
    distance_inside_percent,
    equality_key,
    quantile,
)
from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import ContextDigest, fingerprint
from ansible_collections.rack.recipes.plugins.module_utils.language.references import Scope, keys_in, resolve
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.plugins.module_utils.secret_names import MASKED

INTEGERS = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NUMBERS = INTEGERS | FLOATS
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)
CHARACTERS = st.characters(exclude_characters="*", exclude_categories=["Cs"])
SECRETS = st.text(CHARACTERS, min_size=3, max_size=20).filter(lambda text: len("".join(text.split())) >= 3)


def written(number):
    """The number as it is written, exactly."""
    return Fraction(Decimal(repr(number)))


def nearest(exact):
    try:
        return float(exact)
    except OverflowError:
        return 1.7976931348623157e308 if exact > 0 else -1.7976931348623157e308


@given(NUMBERS, NUMBERS)
def test_a_difference_is_the_nearest_number(one, other):
    assert difference(one, other) == nearest(written(one) - written(other)) or difference(one, other) == one - other


@given(NUMBERS, NUMBERS, st.floats(0, 1e6) | st.integers(0, 1000))
@example(1.1, 1, 10)
def test_a_value_is_within_a_share_or_not(value, centre, percent):
    exact = abs(written(centre)) * written(percent) / 100 - abs(written(value) - written(centre))
    assert distance_inside_percent(value, centre, percent) == pytest.approx(nearest(exact), rel=1e-15, abs=0)
    condition = {"within": {"of": centre, "percent": percent}}
    assert judge(condition, value)[0] == ("passed" if nearest(exact) >= 0 else "failed")


@given(st.lists(NUMBERS, min_size=1, max_size=30), st.floats(0, 1))
def test_a_quantile_is_between_its_neighbours(values, share):
    ordered = sorted(map(written, values))
    place = written(share) * (len(values) - 1)
    index = math.floor(place)
    exact = ordered[index] + (place - index) * (ordered[min(index + 1, len(values) - 1)] - ordered[index])
    assert quantile(values, share) == pytest.approx(nearest(exact), rel=1e-15, abs=0)


@given(NUMBERS, NUMBERS)
def test_limits_compare_exactly(value, bound):
    verdicts = {word: judge({word: bound}, value)[0] == "passed" for word in ("min", "max", "eq", "ne")}
    one, other = Fraction(value), Fraction(bound)
    assert verdicts == {"min": one >= other, "max": one <= other, "eq": one == other, "ne": one != other}


@given(NUMBERS, NUMBERS)
def test_the_sign_of_the_distance_is_the_verdict(value, bound):
    for word in ("min", "max"):
        verdict, problem, distance = judge({word: bound}, value)
        assert (verdict == "passed") is (distance >= 0) is (problem == "")
        assert math.isfinite(distance)


@given(VALUES, VALUES)
def test_values_with_the_same_fingerprint_are_equal(one, other):
    same = fingerprint("", one, {}, "", {}) == fingerprint("", other, {}, "", {})
    assert same is (json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True))
    if same:
        assert equality_key(one) == equality_key(other)


@given(VALUES)
def test_a_value_is_equal_to_itself_in_json(value):
    again = json.loads(json.dumps(value))
    assert judge({"eq": again}, value)[0] == "passed"
    assert judge({"one_of": [again]}, value)[0] == "passed"
    assert judge({"ne": again}, value)[0] == "failed"


@given(VALUES)
def test_a_whole_reference_is_the_value_itself(value):
    scope = Scope(
        ContextView("s", "r1", "host", {"a_v1": [1, value]}, {}, {}, [].append), {"p": value}, {"item": value}
    )
    for text in ("${a_v1}", "${a_v1@r1}", "${a_v1@majority}", "${params.p}", "${item}"):
        found = resolve(text, scope)
        assert json.dumps(found) == json.dumps(value)


@given(st.text(st.sampled_from("${}@._v1aitem params\n")))
def test_any_text_is_filled_in_or_refused(text):
    scope = Scope(ContextView("s", "r1", "host", {"a_v1": [1, 5]}, {}, {}, [].append), {"a": 1}, {"item": {"a": 2}})
    with suppress(ValueError):
        resolve(text, scope)
    assert all(key.endswith(("1", "v")) for key in keys_in(text))


@given(st.lists(st.tuples(st.sampled_from("abc"), VALUES), max_size=8))
def test_a_digest_follows_its_context(changes):
    digest, context = ContextDigest({}), {}
    for key, value in changes:
        digest.set(key, value)
        context[key] = value
    assert str(digest) == str(ContextDigest(context))


@given(st.lists(st.floats(-1e6, 1e6) | st.integers(-(10**6), 10**6), min_size=1, max_size=50))
def test_figures_of_rounds(values):
    rounds = RoundFigures()
    for value in values:
        rounds.add([{"name": "x", "value": value}])
    found = {item["name"][2:]: item["value"] for item in rounds.measurements()}
    assert (found["min"], found["max"], found["count"]) == (min(values), max(values), len(values))
    exact = [Fraction(value) for value in values]
    mean = sum(exact) / len(exact)
    variance = sum((value - mean) ** 2 for value in exact) / len(exact)
    assert found["mean"] == pytest.approx(float(mean), rel=1e-12, abs=1e-9)
    assert found["stdev"] == pytest.approx(float(variance) ** 0.5, rel=1e-9, abs=1e-6)
    assert found["p95"] == quantile(values, 0.95)


FORMS = {
    "as it is": lambda text: text,
    "JSON": json.dumps,
    "JSON with all characters": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)),
    "URL": lambda text: quote(text, safe=""),
    "path of a URL": quote,
    "query of a URL": quote_plus,
    "URL with more than it needs": lambda text: "".join(map(quoted, text.encode())),
}


def quoted(byte):
    character = chr(byte)
    return character if character.isascii() and character.isalnum() else f"%{byte:02x}"


@pytest.mark.parametrize("form", FORMS)
@given(before=st.text(), secret=SECRETS, after=st.text())
def test_no_form_of_a_secret_is_left(form, before, secret, after):
    text = FORMS[form](secret)
    masked = Mask([secret]).mask(f"{before}\n<{text}>\n{after}")
    assert MASKED in masked
    assert text not in masked


@given(secret=SECRETS, before=st.binary(max_size=20), after=st.binary(max_size=20), encode=st.sampled_from([0, 1]))
def test_no_base64_of_a_secret_is_left(secret, before, after, encode):
    data = secret.strip(" \t\r\n").encode("utf-8")
    assume(len(data) >= 3)
    text = (base64.b64encode, base64.urlsafe_b64encode)[encode](before + data + after).decode()
    masked = Mask([secret]).mask(text)
    assert MASKED in masked
    first, last = -(-8 * len(before) // 6), 8 * (len(before) + len(data)) // 6
    assert masked.startswith(text[: first - 1] if first else "")
    assert len(masked.replace(MASKED, "")) <= len(text) - (last - first)


@given(
    secret=SECRETS, cuts=st.lists(st.integers(1, 19), max_size=5), indent=st.text(st.sampled_from(" \t"), max_size=5)
)
def test_no_secret_over_lines_is_left(secret, cuts, indent):
    secret = secret.strip()
    assume(len("".join(secret.split())) >= 3)
    places = sorted({0, len(secret), *(cut for cut in cuts if cut < len(secret))})
    text = f"\n{indent}".join(secret[one:other] for one, other in zip(places, places[1:]))
    assert Mask([secret]).mask(f"a: <{text}>\nb") == f"a: <{MASKED}>\nb"


@given(st.lists(SECRETS, max_size=4), st.text(CHARACTERS))
def test_no_secret_of_several_is_left(secrets, text):
    masked = Mask(secrets).mask(text.join(secrets))
    assert all(secret.strip() not in masked for secret in secrets)


@given(st.lists(st.text(min_size=1), max_size=3), VALUES)
def test_any_value_can_be_masked(secrets, value):
    json.dumps(Mask(secrets).mask_value(value))
