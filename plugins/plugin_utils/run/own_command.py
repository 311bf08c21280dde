# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How this program starts its own command `rack-recipes` as a process."""

from __future__ import annotations

import sys

# The working folder is not searched for modules: a file `json.py` of the project must not stand for Python's.
PYTHON = (sys.executable, "-P", "-c")
CALL = "from ansible_collections.rack.recipes.plugins.plugin_utils.cli.main import main; main()"
