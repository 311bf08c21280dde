# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hashlib
import hmac
import itertools
import sys
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.language import fingerprint as fingerprints
from ansible_collections.rack.recipes.plugins.module_utils.language.fingerprint import ContextDigest, fingerprint
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

GIVEN = {
    "digest": "sha256:ab",
    "args": {"a": [1, {"b": None}], "c": "é"},
    "read": {"x_v1": 1},
    "host": "r1",
    "files": {"data/a.csv": "sha256:cd"},
}
OTHERS = [
    {"digest": "sha256:ac"},
    {"args": {"a": [1, {"b": None}], "c": "e"}},
    {"args": {"a": [1.0, {"b": None}], "c": "é"}},
    {"args": {"a": [True, {"b": None}], "c": "é"}},
    {"args": {"a": ["1", {"b": None}], "c": "é"}},
    {"args": {"a": [1, {"b": 0}], "c": "é"}},
    {"args": {"a": [1, {}], "c": "é"}},
    {"args": {}},
    {"read": {}},
    {"read": {"x_v1": None}},
    {"read": {"x_v1": False}},
    {"read": {"x_v2": 1}},
    {"host": ""},
    {"files": {}},
    {"files": {"data/b.csv": "sha256:cd"}},
    {"files": {"data/a.csv": "sha256:ce"}},
    {"read": {}, "files": {"x_v1": 1}},
]


def test_it_is_of_canonical_json():
    """Another text would lose what was cached under it."""
    text = r'["sha256:ab",{"a":[1,{"b":null}],"c":"\u00e9"},{"x_v1":1},"r1",{"data/a.csv":"sha256:cd"}]'
    assert fingerprint(**GIVEN) == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@pytest.mark.parametrize("missing", [(), ("_sha2",), ("_sha2", "_sha256")])
def test_every_python_has_the_hash(monkeypatch, missing):
    for name in missing:
        monkeypatch.setitem(sys.modules, name, None)
    assert fingerprints._hash.__wrapped__()(b"x").hexdigest() == hashlib.sha256(b"x").hexdigest()


def test_equal_input_has_the_same():
    mixed = {**GIVEN, "args": {"c": "é", "a": [1, {"b": None}]}}
    assert {fingerprint(**GIVEN), fingerprint(**mixed), fingerprint(**GIVEN)} == {fingerprint(**GIVEN)}


def test_every_other_input_has_another():
    found = {fingerprint(**{**GIVEN, **other}) for other in [{}, *OTHERS]}
    assert len(found) == len(OTHERS) + 1


@pytest.mark.parametrize(
    "value", ["\ud800", "\0", 2**63 - 1, 1e308, -0.0, [[[[]]]], {"": {"": ""}}, ("a", "tuple"), float("nan")]
)
def test_any_json_has_one(value):
    assert len(fingerprint("", value, {"a_v1": value}, "", {})) == len("sha256:") + 64


def test_a_context_in_any_order_has_one_digest():
    entries = [("a_v1", 1), ("b_v1", {"x": [1], "y": 2}), ("c_v1", None)]
    digests = set()
    for order in itertools.permutations(entries):
        digest = ContextDigest({})
        for key, value in order:
            digest.set(key, "before")
            digest.set(key, value)
        digests.add(str(digest))
    assert digests == {str(ContextDigest(dict(entries)))}


@table("values")
def test_another_context_has_another(values):
    others = [{"a_v1": 1, "b_v1": 2}, {"a_v1": 2, "b_v1": 1}]
    assert len({str(ContextDigest(given)) for given in [values, *others]}) == 3


def test_a_change_that_is_taken_back_leaves_nothing():
    digest = ContextDigest({"a_v1": 1})
    before = str(digest)
    digest.set("a_v1", 2)
    assert str(digest) != before
    digest.set("a_v1", 1)
    assert str(digest) == before


def test_a_change_costs_only_its_own_key():
    large = {f"k{number}_v1": list(range(100)) for number in range(2000)}
    digest = ContextDigest(large)
    start = time.process_time()
    for number in range(100):
        digest.set("k1_v1", number)
        str(digest)
    assert (time.process_time() - start) / 100 < 0.0005


@pytest.mark.parametrize("key", [b"", b"k", bytes(range(32)), b"x" * 64])
@pytest.mark.parametrize("data", [b"", b"data", bytes(1000)])
def test_hmac_is_what_python_makes(key, data):
    assert fingerprints.hmac(key, data) == hmac.new(key, data, "sha256").digest()


def test_what_has_a_key_is_another_fingerprint_for_each_key():
    found = [fingerprint(**GIVEN, key_for=lambda _value, key=key: key) for key in (b"", b"a" * 32, b"b" * 32)]
    assert len(set(found)) == 3
    assert [each.partition(":")[0] for each in found] == ["sha256", "hmac", "hmac"]
    assert found[0] == fingerprint(**GIVEN)


def test_a_context_has_a_key_for_what_is_secret_alone():
    def digest(value, key=b"k"):
        return str(ContextDigest({"a_v1": value, "b_v1": 1}, lambda given: key if given == "secret" else b""))

    assert digest("plain") == str(ContextDigest({"a_v1": "plain", "b_v1": 1}))
    assert len({digest("secret"), digest("secret", b"l"), str(ContextDigest({"a_v1": "secret", "b_v1": 1}))}) == 3
