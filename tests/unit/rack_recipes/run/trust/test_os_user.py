# SPDX-License-Identifier: GPL-3.0-or-later

"""Who asks is whom the operating system says, not whom the environment says."""

from __future__ import annotations

import grp
import os
import pwd

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.run.trust.os_user import User, this_user, user_named


def test_the_environment_does_not_count(monkeypatch: pytest.MonkeyPatch):
    for name in ("USER", "LOGNAME", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody")
    assert this_user().name == pwd.getpwuid(os.getuid()).pw_name
    assert grp.getgrgid(os.getgid()).gr_name in this_user().groups


def test_a_user_by_name():
    assert user_named("root") == User("root", frozenset({grp.getgrgid(0).gr_name, *user_named("root").groups}))
    with pytest.raises(UsageError, match="--user: there is no user 'nobody at all' on this machine"):
        user_named("nobody at all")


def test_a_number_that_nobody_has(monkeypatch: pytest.MonkeyPatch):
    """As a container's user may be."""
    monkeypatch.setattr(os, "getuid", lambda: 54_321)
    monkeypatch.setattr(os, "getgid", lambda: 54_321)
    monkeypatch.setattr(os, "getgroups", lambda: [0])
    assert this_user() == User("54321", frozenset({"54321", grp.getgrgid(0).gr_name}))
