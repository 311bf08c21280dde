# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run that goes on takes over from the earlier one."""

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.plugin_utils.cli.running.prepare_run import _recorded
from ansible_collections.rack.recipes.plugins.plugin_utils.cli.running.resumed_run import ResumedRun
from ansible_collections.rack.recipes.plugins.plugin_utils.errors import UsageError
from ansible_collections.rack.recipes.plugins.plugin_utils.recipe.recipe_model import Param

DECLARED = {
    "vlan": Param("vlan"),
    "password": Param("password", secret=True),
    "token": Param("token"),
    "url": Param("url"),
}
EARLIER = ResumedRun(
    "run1",
    "recipe.yml",
    {"vlan": 12, "password": "********", "token": "********", "url": "http://me:********@host", "gone": 1},
)


def test_parameters_hold_unless_they_are_given_anew():
    assert _recorded(EARLIER, DECLARED, {"token", "url"}) == {"vlan": 12}
    assert _recorded(None, DECLARED, ()) == {}


def test_what_no_record_holds_has_to_be_given_again():
    """A parameter may be secret by its name, or hold a secret: its default would be another value."""
    with pytest.raises(UsageError) as caught:
        _recorded(EARLIER, DECLARED, {"vlan"})
    assert str(caught.value) == "--resume: no record holds the secret in token, url: give it again by --param-file"
