# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that only read, so that no writer has to wait for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

_OPTION = "rack_recipes_reading"


def reading(engine: Engine) -> Connection:
    """A connection for reading."""
    return engine.connect().execution_options(**{_OPTION: True})


def is_reading(connection: Connection) -> bool:
    """Whether the connection is one for reading."""
    return bool(connection.get_execution_options().get(_OPTION))
