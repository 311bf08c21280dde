# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hmac
import secrets
from datetime import UTC, datetime, timedelta

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.access.wrong_tokens import mangled
from rack_recipes.server.access import token_file
from rack_recipes.server.access.caller import VIEWER
from rack_recipes.server.access.token_file import Grant

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()


def granted(**fields: str) -> tuple[str, dict[str, Grant]]:
    """A new token, and the grants that know it."""
    text, ident, digest = token_file.new_token()
    return text, {ident: Grant("zoe", VIEWER, ident, digest, **fields)}


def test_a_token_is_known_by_its_digest_alone():
    text, grants = granted()
    found = token_file.grant_of(text, grants)
    assert found is not None
    secret = text.rpartition("_")[2] if "_" not in text[21:] else text[21:]
    assert found.digest == token_file.digest_of(secret)
    assert secret not in repr(grants)
    assert len(token_file.new_token()[0]) == len(text) == 64


@pytest.mark.parametrize("fields", [{"expires": YESTERDAY}, {"revoked": YESTERDAY}])
def test_an_expired_or_revoked_token_is_nothing(fields):
    assert token_file.grant_of(*granted(**fields)) is None


def test_the_row_of_a_certificate_takes_no_token():
    text, grants = granted()
    no_digest = {ident: Grant("zoe", VIEWER, ident, certificate="zoe.lab") for ident in grants}
    assert token_file.grant_of(text, no_digest) is None
    assert token_file.grant_of(f"rrt_{next(iter(grants))}_{'A' * 43}", no_digest) is None


def test_mangled_and_foreign_tokens_are_nothing():
    text, grants = granted()
    assert [wrong for wrong in mangled(text, 2000) if token_file.grant_of(wrong, grants)] == []


def test_each_token_is_compared_once_and_in_constant_time(monkeypatch):
    text, grants = granted()
    compared: list[tuple[int, int]] = []

    def compare(first: str, second: str) -> bool:
        compared.append((len(first), len(second)))
        return secrets.compare_digest(first, second)

    monkeypatch.setattr(hmac, "compare_digest", compare)
    for given in (text, "", "x" * 64, token_file.new_token()[0], text[:-1]):
        token_file.grant_of(given, grants)
    assert compared == [(64, 64)] * 5, "an unknown one costs what a known one does"
