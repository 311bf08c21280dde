# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that lets a run or a command pass, or refuses it by the project's policy and lock file."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import TrustError
from ansible_collections.rack.recipes.plugins.plugin_utils.settings import Settings
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload.pinned_code import Pins

if TYPE_CHECKING:
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.evaluate import PolicyCase, Resolve
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.trust_request import TrustRequest

MOST = 5  # reasons that are told
HERE = "localhost"


def is_guarded(settings: Settings) -> bool:
    """Whether there is anything to check; a run without pays nothing."""
    return bool(settings.policy or settings.locked)


def check_run(asked: TrustRequest, settings: Settings, resolve: Resolve | None = None) -> Pins | None:
    """Raise TrustError, with the reasons, for what the policy or the lock file does not allow.

    `resolve` gives the hosts of a pattern, None before they are known. Returns the files that may be sent, None for
    all.
    """
    if settings.policy:
        _allow([*_cases(asked)], settings, resolve)
    if not settings.locked:
        return None
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.lock.check_lock import check_locked

    return check_locked(asked)


def check_debug(scriptlet: str, settings: Settings) -> None:
    """Raise TrustError where this user may not run a scriptlet by itself on this machine."""
    if settings.policy:
        from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.evaluate import PolicyCase

        _allow(
            [PolicyCase("debug", scriptlet=scriptlet, host=HERE)],
            settings,
            lambda pattern: fnmatch.filter([HERE], pattern),
        )


def check_store(action: str, settings: Settings) -> None:
    """Raise TrustError where this user may not `change` or `delete` what the store holds."""
    if settings.policy:
        from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.evaluate import PolicyCase

        _allow([PolicyCase(action, store=True)], settings, None)


def check_lock(recipes: Iterable[str], settings: Settings) -> None:
    """Raise TrustError where this user may not `change` what is known of these recipes."""
    if settings.policy:
        from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.evaluate import PolicyCase

        _allow([PolicyCase("change", recipe=recipe) for recipe in recipes], settings, None)


def _cases(asked: TrustRequest) -> Iterator[PolicyCase]:
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.evaluate import PolicyCase

    recipe = "" if asked.action == "debug" else asked.recipe  # one that is made for it tells nothing
    for use in asked.uses:
        for host in use.hosts if use.hosts is not None else ("",):
            yield PolicyCase(asked.action, recipe, use.name, use.become, host, unsure=use.unsure)


def _allow(cases: Sequence[PolicyCase], settings: Settings, resolve: Resolve | None) -> None:
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.os_user import this_user
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.evaluate import judge
    from ansible_collections.rack.recipes.plugins.plugin_utils.trust.policy.parse_policy import read_policy

    reasons = judge(read_policy(settings.policy), this_user(), cases, resolve)
    if reasons:
        more = [f"and {len(reasons) - MOST} more reasons"] if len(reasons) > MOST else []
        raise TrustError("\n".join([*reasons[:MOST], *more]))
