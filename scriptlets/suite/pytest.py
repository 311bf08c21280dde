# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests of a pytest file or folder."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
from scriptlets.tools.suite_programs import check_timeout
from scriptlets.tools.xml_suites import XmlTool, run_suite

# Exit codes: https://docs.pytest.org/en/stable/reference/exit-codes.html
PYTEST = XmlTool(
    name="pytest",
    module="pytest",
    advice="install the package python3-pytest",
    options=(
        *("-v", "--color=no", "-p", "no:cacheprovider"),
        *("--junitxml={made}/results.xml", "-o", "junit_family=xunit1"),  # the family that has properties of tests
    ),
    failing=range(1, 2),
    exit_codes={
        2: "was interrupted, or could not load a file",
        3: "had an internal error",
        4: "was called wrongly, look at `args`",
        5: "found no test: its files are named test_*.py, its functions test_*",
    },
)


class PytestSuite(Scriptlet):
    """Runs a file or a folder of tests by the pytest of the host, in the folder that they are in.

    Each test is a measurement: `passed`, or why it is not. What a test records by pytest's `record_property` is a
    measurement too. The step fails if a test fails. It is an error if no test is found, or if pytest did not end by
    itself within `timeout` seconds; skipped if all tests are. `pytest` are the words that call another pytest.
    """

    options = {
        "src": {"type": "path", "required": True},
        "args": {"type": "list", "elements": "str", "default": []},
        "env": {"type": "dict", "default": {}},
        "pytest": {"type": "list", "elements": "str"},
        "timeout": {"type": "float", "default": 600},
    }
    reads = ()
    writes = ("suite.pytest_v1",)

    def validate(self, ctx, params):
        check_timeout(params)

    def run(self, ctx, params):
        run_suite(ctx, params, "suite.pytest_v1", PYTEST)
