#!/usr/bin/python
# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the report action."""

from __future__ import annotations

DOCUMENTATION = r"""
module: report
short_description: Write the report of a run
description:
  - Reads one run from the store and writes its report as a web page, an Excel workbook, CSV files, Markdown and more.
  - Runs on the controller, whatever host the task is for, and connects to nothing but the store.
  - The same run always gives the same files, byte by byte. Files that would not change are not written again.
version_added: 0.1.0
author: rack.recipes contributors (@rack-recipes)
options:
  run:
    description:
      - Id of the run, the beginning of it, V(last), or V(last~1) for the one before.
      - Without it, the run of this playbook, for which the callback P(rack.recipes.recorder#callback) must be enabled.
    type: str
  formats:
    description:
      - V(html) is one page that needs no network, V(xlsx) an Excel workbook, V(csv) a folder with a file for each
        table, V(md) a page for a comment on GitHub or GitLab.
      - V(md-full) is Markdown with all tables, V(json) one file for programs, V(junit) JUnit XML for CI, V(ocp) a
        folder with a file of Open Compute diagnostics output for each host.
      - V(pdf) is the web page's beginning on paper. It needs Chromium on the controller.
    type: list
    elements: str
    choices: [html, xlsx, csv, md, md-full, json, junit, ocp, pdf]
    default: [html, xlsx, csv, md]
  dest:
    description:
      - Folder of the report on the controller, relative to where Ansible was started. It is made if it is missing.
      - Without it, the folder C(report) in the run's folder, C(.rack-recipes/runs/<run>/report).
    type: path
  db:
    description:
      - URL of the store. Without it, the project's store.
    type: str
  summary:
    description:
      - Whether the report has a summary in a few sentences.
      - They are made by rules, or by the language model of the setting C(rack_recipes_summary_url). What a model writes
        is marked as a suggestion.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode.
    support: none
requirements:
  - pandas and xlsxwriter on the controller, which come with the Python package rack-recipes
notes:
  - Files are readable by their owner alone.
  - Text from hosts is treated as data in every format, so that no log can run a script, a formula or a macro.
seealso:
  - module: rack.recipes.flush
"""

EXAMPLES = r"""
- name: Write the report of this run
  rack.recipes.report:
  run_once: true
  delegate_to: localhost

- name: Write the page of an earlier run to another folder
  rack.recipes.report:
    run: 20261125-120000-3f9a2c
    formats: [html]
    dest: reports/rack1
  run_once: true
  delegate_to: localhost
"""

RETURN = r"""
run_id:
  description: The run.
  returned: success
  type: str
  sample: 20261125-120000-3f9a2c
files:
  description: Paths of the report's files on the controller.
  returned: success
  type: list
  elements: str
  sample: [.rack-recipes/runs/20261125-120000-3f9a2c/report/report.html]
folder:
  description: The folder of these files.
  returned: success
  type: str
  sample: .rack-recipes/runs/20261125-120000-3f9a2c/report
status:
  description: How the run ended, such as V(passed) or V(failed).
  returned: success
  type: str
  sample: failed
counts:
  description: How many results have each verdict.
  returned: success
  type: dict
  sample: {passed: 11, failed: 1}
causes:
  description: The gravest problems that the analysis has found, five at most, in words.
  returned: success
  type: list
  elements: str
  sample: [bgp failed on every host (4 of 4)]
"""
