# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the project's policy says to those who use the server: users of this machine, tokens and certificates."""

from __future__ import annotations

import os
from functools import lru_cache

from rack_recipes.run.trust.context_key_access import KeyAccess
from rack_recipes.run.trust.os_user import User, this_user, user_of
from rack_recipes.run.trust.policy import READ, WRITE, Policy
from rack_recipes.server.access.caller import ADMIN, AUTHOR, VIEWER, Caller, Objection
from rack_recipes.server.access.identify import CERTIFICATE, TOKEN, Identify
from rack_recipes.server.access.token_file import LiveGrants

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
