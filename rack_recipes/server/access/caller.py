# SPDX-License-Identifier: GPL-3.0-or-later

"""Who sends a request, and what that one may: a role says which routes, patterns and the policy say which keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rack_recipes.server.problems import Problem

VIEWER, OPERATOR, AUTHOR, ADMIN = "viewer", "operator", "author", "admin"
ROLES: Mapping[str, str] = {  # the weakest first; each may what those before it may
    VIEWER: "reads keys, history, runs and reports",
    OPERATOR: "takes locks, sends messages, meets others, starts, stops and uploads runs",
    AUTHOR: "writes keys, changes what is expected",
    ADMIN: "does everything",
}
RANK: Mapping[str, int] = {role: rank for rank, role in enumerate(ROLES)}
ANY = ("*",)
READ, WRITE = "read", "write"

Objection = Callable[[str, str], str]
"""Why a policy refuses an action (READ or WRITE) on a key; empty where it does not."""


def no_objection(_action: str, _key: str) -> str:
    """What a server without a policy says."""
    return ""


def always_valid() -> bool:
    """Whether a caller is still known who needs neither a token nor a certificate."""
    return True


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sends a request.

    `name` stands in the history. `keys` and `runs` are patterns of what this caller sees and changes. `is_valid` tells
    whether the token that the request came with still counts: it may be revoked while a request waits.
    """

    name: str
    role: str = ADMIN
    keys: tuple[str, ...] = ANY
    runs: tuple[str, ...] = ANY
    objection: Objection = no_objection
    is_valid: Callable[[], bool] = always_valid

    def check_valid(self) -> None:
        """Raise Problem if the token of this caller does not count any more."""
        if not self.is_valid():
            raise unknown_caller()

    def has_role(self, needed: str) -> bool:
        """Whether the role of this caller is at least as strong as the one that is needed."""
        return RANK[self.role] >= RANK[needed]

    def check_role(self, needed: str, what: str) -> None:
        """Raise Problem if the role of this caller is weaker than the one that is needed for `what`."""
        if not self.has_role(needed):
            detail = f"{self.name} has the role {self.role}, {what} needs {needed}"
            raise Problem("not-allowed", detail, f"ask with a token of the role {needed}")

    def check_run(self, run_id: str) -> None:
        """Raise Problem if this caller may not see a run."""
        if not self.sees_run(run_id):
            runs = ", ".join(self.runs)
            raise Problem("not-allowed", f"{self.name} may see the runs {runs}, not {run_id}", "ask for another token")

    @property
    def sees_all_runs(self) -> bool:
        """Whether this caller may see all runs."""
        return self.runs == ANY

    @property
    def reads_all(self) -> bool:
        """Whether this caller may read all keys."""
        return self.keys == ANY and self.objection is no_objection

    @property
    def restriction(self) -> str:
        """What this caller may see, where that is not everything; empty where it is."""
        parts = [] if self.sees_all_runs else [f"the runs {', '.join(self.runs)}"]
        if not self.reads_all:
            parts.append("the keys that the policy allows" if self.keys == ANY else f"the keys {', '.join(self.keys)}")
        return f"{self.name} may see {' and '.join(parts)}: what rests on others is left out" if parts else ""

    def sees_run(self, run_id: str) -> bool:
        """Whether this caller may see a run."""
        return self.runs == ANY or any(fnmatchcase(run_id, pattern) for pattern in self.runs)

    def check_read(self, key: str) -> None:
        """Raise Problem if this caller may not read a key."""
        _refuse(self._reason(READ, key))

    def check_write(self, key: str) -> None:
        """Raise Problem if this caller may not write a key, or not read it: the answer to a write shows its value."""
        _refuse(self._reason(WRITE, key) or self._reason(READ, key))

    def reads(self, key: str) -> bool:
        """Whether this caller may read a key: what it may not read is left out of lists and events."""
        return not self._reason(READ, key)

    def _reason(self, action: str, key: str) -> str:
        if self.keys != ANY and not any(fnmatchcase(key, pattern) for pattern in self.keys):
            return f"{self.name} may {action} the keys {', '.join(self.keys)}, not {key}"
        return self.objection(action, key)


def unknown_caller() -> Problem:
    """The problem of a request whose sender is not known; it does not say what is wrong with a token."""
    return Problem(
        "not-known",
        "this request needs a valid token",
        "send `Authorization: Bearer TOKEN`; `rack-recipes token list` on the server tells which are valid, "
        "`rack-recipes token create` makes one",
        headers={"www-authenticate": 'Bearer realm="rack-recipes"'},
    )


def _refuse(reason: str) -> None:
    if reason:
        raise Problem("not-allowed", reason, "ask who runs the server for the right to this key")
