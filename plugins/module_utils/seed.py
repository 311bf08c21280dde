# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The names that scriptlets of the first proposal import; they stay importable for ever."""

from __future__ import annotations

import sys
from types import ModuleType

from ansible_collections.rack.recipes.plugins.module_utils import decorators
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from ansible_collections.rack.recipes.plugins.module_utils.view import View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class BaseScriptlet(Scriptlet):
    """A scriptlet that calls its own `validate` from `run`, prints an envelope and returns an exit code."""


NAMES: dict[str, dict[str, Any]] = {
    "scriptlets": {"__path__": []},
    "scriptlets.core": {"__path__": []},
    "scriptlets.core.base": {"BaseScriptlet": BaseScriptlet},
    "scriptlets.core.decorator": {
        name: getattr(decorators, name) for name in ("register_scriptlet", "track_resources")
    },
    "orchestrator": {"__path__": []},
    "orchestrator.context": {"Context": View},
}


def install() -> None:
    """Make the names importable in this process, beside whatever else lies in packages of the same name."""
    for name, content in NAMES.items():
        try:
            __import__(name)
        except ImportError:
            sys.modules[name] = module = ModuleType(name)
            vars(module).update(content)
