# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import hmac
import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.tests.unit.rack_recipes.server.access.wrong_tokens import mangled
from rack_recipes.errors import UsageError
from rack_recipes.server.access import token_file
from rack_recipes.server.access.caller import VIEWER
from rack_recipes.server.access.token_file import Grant, LiveGrants, changed_grants, new_token, read_grants

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


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "server" / "tokens.json"


def added(path: Path, **fields: str) -> str:
    """A new token in the file."""
    text, ident, digest = new_token()
    with changed_grants(path) as grants:
        grants.append(Grant("zoe", VIEWER, ident, digest, **fields))
    return text


def test_only_its_owner_reads_the_file_and_it_has_no_token(path):
    text = added(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert text[21:] not in path.read_text()
    assert {file.name for file in path.parent.iterdir()} == {"tokens.json", "tokens.json.lock"}


def test_the_file_is_as_it_was_after_a_failed_change(path):
    added(path)
    before = path.read_bytes()
    with suppress(ZeroDivisionError), changed_grants(path) as grants:
        grants.clear()
        raise ZeroDivisionError
    assert path.read_bytes() == before


def test_there_may_be_no_file(path):
    assert read_grants(path) == ()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.chmod(0o640), "can be read or written by other users: chmod 600"),
        (lambda path: path.write_text("{"), "is no file of tokens: "),
        (lambda path: path.write_text('{"grants": [{"name": "a", "role": "boss", "ident": "1"}]}'), "no role 'boss'"),
        (lambda path: path.write_text('{"grants": [{"nome": "a"}]}'), "is no file of tokens: "),
        (
            lambda path: path.write_text(
                '{"grants": [{"name": "a", "role": "admin", "ident": "1", "expires": "2020-01-01"}]}'
            ),
            "has no time zone",
        ),
    ],
)
def test_a_file_that_cannot_be_trusted_lets_nobody_in(path, spoil: Callable[[Path], object], reason):
    text, told = added(path), []
    live = LiveGrants(path, told.append)
    assert live.of_token(text)
    spoil(path)
    with pytest.raises(UsageError, match=reason):
        read_grants(path)
    assert [live.of_token(text) for _each in range(3)] == [None] * 3
    assert len(told) == 1, "it is told once"
    assert reason in told[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_user_is_refused(path):
    added(path)
    os.chown(path, 4711, 4711)
    with pytest.raises(UsageError, match="belongs to another user"):
        read_grants(path)


def test_a_change_is_seen_at_once(path):
    live = LiveGrants(path, pytest.fail)
    text = added(path)
    grant = live.of_token(text)
    assert grant
    assert live.is_valid(grant)
    added(path)
    assert live.is_valid(grant), "that of another one does not matter"
    with changed_grants(path) as grants:
        grants[0] = replace(grants[0], revoked="2026-11-29T00:00:00+00:00", digest="")
    assert (live.is_valid(grant), live.of_token(text)) == (False, None)


def test_a_certificate_is_known_by_any_of_its_names(path):
    added(path, certificate="ci.lab")
    live = LiveGrants(path, pytest.fail)
    assert live.of_certificate(("other", "ci.lab"))
    assert live.of_certificate(("other", "ci.lab.example", "")) is None
