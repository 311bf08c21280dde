# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pytest, or a stand-in where it is missing: `ansible-test sanity` imports each file without its requirements."""

from __future__ import annotations

try:
    import pytest
except ImportError:
    from unittest.mock import MagicMock

    pytest = MagicMock()

__all__ = ["pytest"]
