# SPDX-License-Identifier: GPL-3.0-or-later

"""The version of this collection."""

from __future__ import annotations

VERSION = "0.1.0"
