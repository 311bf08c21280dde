# SPDX-License-Identifier: GPL-3.0-or-later

"""Checks runs and commands against the project's policy and lock file; all checks are here."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from rack_recipes.errors import TrustError
from rack_recipes.run.host.project_files import Pins
from rack_recipes.settings import Settings

if TYPE_CHECKING:
    from rack_recipes.run.trust.context_key_access import KeyAccess
    from rack_recipes.run.trust.lock_file import LockFile
    from rack_recipes.run.trust.os_user import User
    from rack_recipes.run.trust.policy import PolicyCase, Resolve
    from rack_recipes.run.trust.trust_request import TrustRequest

MAX_REASONS = 5  # how many reasons a message names
THIS_MACHINE = "localhost"


def is_guarded(settings: Settings) -> bool:
    """Whether the project has a policy or a lock file; without them a run skips all checks."""
    return bool(settings.policy or settings.locked)


def check_run(request: TrustRequest, settings: Settings, resolve: Resolve | None = None) -> Pins | None:
    """Raise TrustError with the reasons if the policy or the lock file does not allow a run.

    `resolve` returns the hosts of a pattern; None means that they are not known yet. Returns the digests that sent
    files may have, None if any file may be sent.
    """
    if settings.policy:
        _allow([*_cases(request)], settings, resolve)
        _allow_keys(request, settings)
    return _check_locked(request) if settings.locked else None


def key_access(settings: Settings) -> KeyAccess | None:
    """What the policy says to this user of keys of the context; None without a policy. Raises TrustError."""
    if not settings.policy:
        return None
    from rack_recipes.run.trust.context_key_access import read_access
    from rack_recipes.run.trust.os_user import this_user

    return read_access(settings.policy, this_user())


def _allow_keys(request: TrustRequest, settings: Settings) -> None:
    """Raise TrustError if a scriptlet declares to read or write a key that this user may not."""
    from rack_recipes.run.trust.policy import READ, WRITE

    access = key_access(settings)
    if access is None:
        return
    reasons: dict[str, None] = {}
    for entry in request.entries:
        reads = [access.refusal(READ, key) for key in entry.reads or ()]
        reads += [access.refusal_of_any(READ)] if entry.reads is None else []
        found = filter(None, (*reads, *(access.refusal(WRITE, key) for key in entry.writes)))
        reasons.update(dict.fromkeys(f"{reason} (a key of {entry.name})" for reason in found))
    _refuse([*reasons])


def check_debug(scriptlet: str, settings: Settings) -> None:
    """Raise TrustError if this user may not run a scriptlet by itself on this machine."""
    if settings.policy:
        from rack_recipes.run.trust.policy import PolicyCase

        _allow(
            [PolicyCase("debug", scriptlet=scriptlet, host=THIS_MACHINE)],
            settings,
            lambda pattern: fnmatch.filter([THIS_MACHINE], pattern),
        )


def check_store(action: str, settings: Settings, user: User | None = None) -> None:
    """Raise TrustError if a user may not `change` or `delete` what the store holds; None is who runs this process."""
    if settings.policy:
        from rack_recipes.run.trust.policy import PolicyCase

        _allow([PolicyCase(action, store=True)], settings, None, user)


def check_lock(recipes: Iterable[str], settings: Settings) -> None:
    """Raise TrustError if this user may not `change` the lock of these recipes."""
    if settings.policy:
        from rack_recipes.run.trust.policy import PolicyCase

        _allow([PolicyCase("change", recipe=recipe) for recipe in recipes], settings, None)


def check_waivers(
    recipe: str,
    waived: Iterable[tuple[str, Iterable[str]]],
    settings: Settings,
    resolve: Resolve | None,
    user: User | None = None,
) -> None:
    """Raise TrustError if a user may not `waive` failures of these steps; each with its hosts.

    Without `resolve` the hosts are not known, and rules about hosts are not looked at. None is who runs this process.
    """
    if settings.policy:
        from rack_recipes.run.trust.policy import PolicyCase

        cases = [PolicyCase("waive", recipe, step, host=host) for step, hosts in waived for host in hosts]
        _allow(cases, settings, resolve, user)


def _check_locked(request: TrustRequest) -> Pins:
    """Return the digests that sent files may have.

    Raises TrustError, which names all that has changed or is not locked.
    """
    from rack_recipes.run.trust.lock_file import LOCK_FILE_NAME, differences, lock_of, read_lock

    locked = read_lock()
    found = [str(one) for one in differences(locked, lock_of([request])) if one.how != "gone"]
    if found:
        cure = f"look at it, and if it is as it should be: rack-recipes lock {request.recipe}"
        raise TrustError("\n".join([f"not as {LOCK_FILE_NAME} has it: {'; '.join(found)}", cure]))
    return _pins(locked)


def _pins(lock: LockFile) -> Pins:
    """Return the digests of each file.

    There can be several: two trusted folders may each hold a file of the same name.
    """
    pins: dict[str, set[str]] = {}
    for scriptlet in lock.scriptlets.values():
        for name, digest in scriptlet.files.items():
            pins.setdefault(name, set()).add(digest)
    return pins


def _cases(request: TrustRequest) -> Iterator[PolicyCase]:
    from rack_recipes.run.trust.policy import PolicyCase

    recipe = "" if request.action == "debug" else request.recipe  # the command has made that recipe itself
    for use in request.uses:
        for host in use.hosts if use.hosts is not None else ("",):
            yield PolicyCase(request.action, recipe, use.name, use.become, host, unsure=use.unsure)


def _allow(cases: Sequence[PolicyCase], settings: Settings, resolve: Resolve | None, user: User | None = None) -> None:
    from rack_recipes.run.trust.os_user import this_user
    from rack_recipes.run.trust.policy import refusal_reasons
    from rack_recipes.run.trust.read_policy_file import read_policy

    reasons = refusal_reasons(read_policy(settings.policy), user or this_user(), cases, resolve)
    _refuse(reasons)


def _refuse(reasons: Sequence[str]) -> None:
    """Raise TrustError if there are reasons."""
    if reasons:
        more = [f"and {len(reasons) - MAX_REASONS} more reasons"] if len(reasons) > MAX_REASONS else []
        raise TrustError("\n".join([*reasons[:MAX_REASONS], *more]))
