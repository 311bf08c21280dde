# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds out who sends a request.

By a token, by the user at the other end of a Unix socket, or by a certificate; and what the project's policy says to
that one.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable
from functools import lru_cache, partial
from typing import Any

from rack_recipes.run.trust.context_key_access import KeyAccess
from rack_recipes.run.trust.os_user import User, this_user, user_of
from rack_recipes.run.trust.policy import READ, WRITE, Policy
from rack_recipes.server.access.caller import ADMIN, AUTHOR, VIEWER, Caller, Objection, unknown_caller
from rack_recipes.server.access.token_file import Grant, LiveGrants
from rack_recipes.server.network.clients import Peer, user_name
from rack_recipes.server.problems import Problem

BEARER = "bearer "
TOKEN, CERTIFICATE = "token", "certificate"
MOST_KNOWN = 10_000  # callers that are kept; all are forgotten when there are more
UserCaller = Callable[[int], Caller | None]
"""The caller that a user of this machine is; None for one who has no rights here."""
ObjectionOf = Callable[[str, str], Objection]
"""What a policy says to the name and the role of a token or certificate."""


@lru_cache(maxsize=16)
def owner_only(uid: int) -> Caller | None:
    """Root and the user who started the server, and nobody else."""
    return Caller(user_name(uid), ADMIN) if uid in (0, os.getuid()) else None


class Identify:
    """Tells who sends a request, by its ASGI scope, whose `client` is a Peer.

    `start_token` is a token that the server makes when it starts, and that stands for the user who started it; there is
    none where it is empty.
    """

    def __init__(
        self,
        grants: LiveGrants,
        of_user: UserCaller = owner_only,
        objection_of: ObjectionOf | None = None,
        start_token: str = "",
    ) -> None:
        self._grants = grants
        self._of_user = of_user
        self._objection_of = objection_of
        self._start_token = start_token.encode()
        self._known: dict[tuple[str, Grant], Caller] = {}

    def __call__(self, scope: Any) -> Caller:
        """The caller. Raises Problem; it never has a part of a token in it."""
        peer: Peer = scope["client"]
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        if given:
            return self._of_token(given)
        if peer.uid is not None:
            return self._user(peer.uid)
        grant = self._grants.of_certificate(peer.names) if peer.names else None
        if grant is None:
            raise unknown_caller()
        return self._caller(CERTIFICATE, grant)

    def _user(self, uid: int) -> Caller:
        caller = self._of_user(uid)
        if caller is None:
            owner = user_name(os.getuid())
            raise Problem("not-allowed", f"user {user_name(uid)} may not use this socket", f"ask as {owner}")
        return caller

    def _of_token(self, given: list[bytes]) -> Caller:
        text = given[0].decode("latin-1")
        is_bearer = len(given) == 1 and text[: len(BEARER)].lower() == BEARER
        shown = text[len(BEARER) :].strip() if is_bearer else ""
        if self._start_token and hmac.compare_digest(shown.encode(), self._start_token):
            return self._user(os.getuid())
        grant = self._grants.of_token(shown)
        if grant is None:
            raise unknown_caller()
        return self._caller(TOKEN, grant)

    def _caller(self, kind: str, grant: Grant) -> Caller:
        found = self._known.get((kind, grant))
        if found is None:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            found = self._known[kind, grant] = self._made(kind, grant)
        return found

    def _made(self, kind: str, grant: Grant) -> Caller:
        name = f"{kind}:{grant.name}"
        more = {"objection": self._objection_of(name, grant.role)} if self._objection_of else {}
        return Caller(name, grant.role, grant.keys, grant.runs, is_valid=partial(self._grants.is_valid, grant), **more)


ROLE_BY_RULE = ((WRITE, AUTHOR), (READ, VIEWER))  # of users of this machine, the strongest first


def identify_by(policy: Policy, grants: LiveGrants, start_token: str = "") -> Identify:
    """Recognizes callers where the project has a policy."""

    @lru_cache(maxsize=1024)
    def of_user(uid: int) -> Caller | None:
        user = user_of(uid)
        access = KeyAccess(policy, user)
        role = ADMIN if uid in (0, os.getuid()) else role_of(access)
        return Caller(user.name, role, objection=access.refusal) if role else None

    def objection_of(name: str, role: str) -> Objection:
        return KeyAccess(policy, _as_user(name, role)).refusal

    return Identify(grants, of_user, objection_of, start_token)


def user_of_caller(caller: Caller) -> User:
    """What the policy knows a caller by: a token or a certificate by its name, anybody else as who runs the server."""
    is_given = caller.name.partition(":")[0] in (TOKEN, CERTIFICATE)
    return _as_user(caller.name, caller.role) if is_given else this_user()


def _as_user(name: str, role: str) -> User:
    return User(name, frozenset((f"role:{role}",)))


def role_of(access: KeyAccess) -> str:
    """The role of a user who has not started the server, by the rules about keys; empty for none."""
    return next((role for action, role in ROLE_BY_RULE if access.may_some(action)), "")
