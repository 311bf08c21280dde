#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the verdict action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: verdict
short_description: Fail the hosts that did not pass
description:
  - Ends each host according to the record of the run, so that Ansible's recap and exit code agree with it.
  - A host with failed steps fails, a host that could not be reached is unreachable.
  - Steps that run once for the run count for the run's first host. If nothing was checked in the run, or if no step
    passed, every host fails.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
options:
  stages:
    description:
      - The numbers of the stages that are judged, by default all that have run. A role of several stages names its own.
      - What runs once for the run then counts for the first host of the play. Where tags leave out all steps of these
        stages, nothing is judged.
      - Where the stages of another such verdict come right behind, that one fails the hosts for both, so that they
        take part in its stages, too.
    type: list
    elements: int
    default: []
attributes:
  check_mode:
    description: Can run in check mode.
    support: full
notes:
  - The callback P(rack.recipes.recorder#callback) must be enabled.
"""

EXAMPLES = r"""
- name: Fail the hosts that did not pass
  rack.recipes.verdict:

- name: Fail the hosts that did not pass two stages
  rack.recipes.verdict:
    stages: [101, 102]
"""

RETURN = r"""
msg:
  description: How many steps passed, or what did not pass and why.
  returned: always
  type: str
  sample: 2 of 2 steps passed
steps:
  description: A line for each step that did not pass, with its verdict and the reason.
  returned: where the host did not pass
  type: list
  elements: str
  sample: ["failed      links  eth0 is down"]
"""
