# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How uvicorn serves our applications: HTTP alone, without a log of its own, without words about itself."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from rack_recipes.server.network.client_limits import LARGEST_HEAD

if TYPE_CHECKING:
    import uvicorn

GRACE = 5  # seconds for answers that are being made when the server is told to end


def uvicorn_config(app: Any, **more: Any) -> uvicorn.Config:
    """The configuration of a server of this ASGI application; `more` are further settings of uvicorn."""
    import uvicorn

    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    return uvicorn.Config(
        app,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_graceful_shutdown=GRACE,
        **more,
    )
