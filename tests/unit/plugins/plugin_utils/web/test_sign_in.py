# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who has shown the token, and who has not."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.web.sign_in import COOKIE, MOST_SESSIONS, Sessions


def cookie_of(header: str) -> str:
    return header.partition(";")[0]


def test_the_token_opens_a_session():
    sessions = Sessions("secret")
    header = sessions.sign_in(b"user=x&token=secret")
    assert header.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= {part.strip() for part in header.split(";")}
    assert sessions.knows(f"other=1; {cookie_of(header)}", "")
    assert "secret" not in header


@pytest.mark.parametrize(
    "form", [b"", b"token=", b"token=Secret", b"token=secret2", b"\xff=\xfe", b"a=1&" * 9 + b"token=secret"]
)
def test_nothing_else_opens_one(form):
    assert Sessions("secret").sign_in(form) == ""


@pytest.mark.parametrize(
    ("cookies", "authorization"),
    [("", ""), (f"{COOKIE}=x", ""), (f"{COOKIE}=secret", ""), ("\x00;;==", ""), ("", "Bearer x"), ("", "Basic secret")],
)
def test_a_stranger_is_not_known(cookies, authorization):
    assert not Sessions("secret").knows(cookies, authorization)


def test_a_program_shows_the_token():
    assert Sessions("secret").knows("", "bearer secret")


def test_the_oldest_sessions_end():
    sessions = Sessions("secret")
    first = cookie_of(sessions.sign_in(b"token=secret"))
    for _number in range(MOST_SESSIONS):
        last = cookie_of(sessions.sign_in(b"token=secret"))
    assert (sessions.knows(first, ""), sessions.knows(last, "")) == (False, True)


def test_each_server_has_a_token_of_its_own():
    assert Sessions().token != Sessions().token
