# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests of a Robot Framework suite."""

from __future__ import annotations

from rack_recipes import Scriptlet
from scriptlets.tools.suite_programs import check_timeout
from scriptlets.tools.xml_suites import XmlTool, run_suite

# Exit codes: https://robotframework.org/robotframework/latest/RobotFrameworkUserGuide.html#return-codes
ROBOT = XmlTool(
    name="robot",
    module="robot",
    advice="install the Python package robotframework",
    options=(
        *("--consolecolors", "off", "--consolemarkers", "off", "--outputdir", "{made}", "--report", "NONE"),
        *("--output", "output.xml", "--log", "log.html", "--xunit", "results.xml"),
    ),
    failing=range(1, 251),
    exit_codes={252: "was called wrongly, or found no test", 253: "was interrupted", 255: "had an internal error"},
    attached={"output.xml": "text/xml", "log.html": "text/html"},
)


class RobotSuite(Scriptlet):
    """Runs the tests of a Robot Framework suite; each test is a measurement, `passed` or why it is not.

    The tests run in the folder that they are in. Output, results and Robot's own log.html are attached.
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
        "robot": {
            "type": "list",
            "elements": "str",
            "description": "The words that call another Robot, such as [/opt/venv/bin/robot]",
        },
        "timeout": {"type": "float", "default": 600},
    }
    reads = ()
    writes = {
        "suite.robot_v1": "numbers of cases by outcome, seconds (s), and up to 50 cases with messages (not_passed)",
    }
    needs = ("robot: the Python package robotframework",)
    verdicts = {
        "failed": "a test failed",
        "skipped": "all cases were skipped",
        "error": "nothing was tested, a part of the results is missing, or a case could not be judged",
    }
    example = """
        - name: fans
          module: suite.robot
          args:
            src: /opt/fans/fans.robot
            args: [--variable, "LIMIT:4000"]
    """

    def validate(self, ctx, params):
        check_timeout(params)

    def run(self, ctx, params):
        run_suite(ctx, params, "suite.robot_v1", ROBOT)
