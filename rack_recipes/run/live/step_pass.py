# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pass of a step: it says for which host the step may write, and only the controller of the run can have given it.

Steps come through a socket that other users of a host might reach. So the server believes nothing but the pass.
"""

from __future__ import annotations

import hmac
from urllib.parse import quote, unquote

HEADER = "Rack-Pass"
CONTROLLER = "/"  # for the controller's own requests; quoted, no host is called so


def pass_of(key: bytes, host: str) -> str:
    """The value of the header for steps of a host; `host` is empty for those of the run."""
    name = host if host == CONTROLLER else quote(host, safe="")
    return f"{name}:{hmac.new(key, name.encode(), 'sha256').hexdigest()}"


def host_of(key: bytes, given: str) -> str | None:
    """The host that a pass is for; None if it is no pass of this key."""
    host = unquote(given.rpartition(":")[0])
    return host if hmac.compare_digest(pass_of(key, host).encode(), given.encode()) else None
