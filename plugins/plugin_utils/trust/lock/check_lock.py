# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what is to be run is what was locked."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.plugin_utils.errors import TrustError
from ansible_collections.rack.recipes.plugins.plugin_utils.stage.payload.pinned_code import Pins
from ansible_collections.rack.recipes.plugins.plugin_utils.trust.lock.lock_file import read_lock
from ansible_collections.rack.recipes.plugins.plugin_utils.trust.lock.lock_model import NAME, LockFile, differences
from ansible_collections.rack.recipes.plugins.plugin_utils.trust.lock.make_lock import lock_of
from ansible_collections.rack.recipes.plugins.plugin_utils.trust.trust_request import TrustRequest


def check_locked(asked: TrustRequest) -> Pins:
    """The files that may be sent. Raises TrustError, naming all that has changed since it was locked or never was."""
    held = read_lock()
    found = [str(one) for one in differences(held, lock_of([asked])) if one.how != "gone"]
    if found:
        cure = f"look at it, and if it is as it should be: rack-recipes lock {asked.recipe}"
        raise TrustError("\n".join([f"not as {NAME} has it: {'; '.join(found)}", cure]))
    return _pins(held)


def _pins(lock: LockFile) -> Pins:
    """Two trusted folders may each have a file of one name."""
    pins: dict[str, set[str]] = {}
    for scriptlet in lock.scriptlets.values():
        for name, digest in scriptlet.files.items():
            pins.setdefault(name, set()).add(digest)
    return pins
