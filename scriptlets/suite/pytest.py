# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests of a pytest file or folder."""

from __future__ import annotations

from rack_recipes import Scriptlet
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
        5: "ran no test: `args` left all out, or no file is named test_*.py, or no function test_*",
    },
)


class PytestSuite(Scriptlet):
    """Runs the tests of a pytest file or folder; each test is a measurement, `passed` or why it is not.

    What a test records by pytest's `record_property` is a measurement too. The tests run in the folder that they are
    in. Output and results are attached.
    """

    options = {
        "src": {
            "type": "path",
            "is_code": True,
            "required": True,
            "description": "The file with the tests, or their folder, with a slash at its end",
        },
        "args": {"type": "list", "elements": "str", "default": []},
        "env": {"type": "dict", "default": {}},
        "pytest": {
            "type": "list",
            "elements": "str",
            "description": "The words that call another pytest, such as [/opt/venv/bin/pytest]",
        },
        "timeout": {"type": "float", "default": 600},
    }
    reads = ()
    writes = {
        "suite.pytest_v1": "numbers of cases by outcome, seconds (s), and up to 50 cases with messages (not_passed)",
    }
    needs = ("pytest: the package python3-pytest",)
    verdicts = {
        "failed": "a test failed",
        "skipped": "all cases were skipped",
        "error": "nothing was tested, a part of the results is missing, or a case could not be judged",
    }
    example = """
        - name: fans
          module: suite.pytest
          args:
            src: /opt/fans/tests/
            args: [-k, not slow]
    """

    def validate(self, ctx, params):
        check_timeout(params)

    def run(self, ctx, params):
        run_suite(ctx, params, "suite.pytest_v1", PYTEST)
