# SPDX-License-Identifier: GPL-3.0-or-later

"""The user of the operating system that a policy is applied to; environment variables do not matter."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from rack_recipes.errors import UsageError


@dataclass(frozen=True, slots=True)
class User:
    """A user and their groups by name; a number stands for a missing name."""

    name: str
    groups: frozenset[str] = frozenset()


def this_user() -> User:
    """Return the user who started this process."""
    found = user_of(os.getuid())
    return found if found.groups else replace(found, groups=frozenset(_names({os.getgid(), *os.getgroups()})))


def user_of(number: int) -> User:
    """Return the user with this id. In a container it may have no name; then it has no groups either."""
    try:
        return _user(pwd.getpwuid(number))
    except KeyError:
        return User(str(number))


def user_named(name: str) -> User:
    """Return the user of a name. Raises UsageError if there is none."""
    try:
        return _user(pwd.getpwnam(name))
    except KeyError:
        raise UsageError(f"--user: there is no user {name!r} on this machine") from None


def _user(user: pwd.struct_passwd) -> User:
    return User(user.pw_name, frozenset(_names(os.getgrouplist(user.pw_name, user.pw_gid))))


def _names(numbers: Iterable[int]) -> Iterator[str]:
    for number in numbers:
        try:
            yield grp.getgrgid(number).gr_name
        except KeyError:
            yield str(number)
