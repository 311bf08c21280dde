# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tests of a Robot Framework suite."""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Scriptlet
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
    """Runs a file or a folder of tests by the Robot Framework of the host, in the folder that they are in.

    Each test is a measurement: `passed`, or why it is not. Robot's own log is attached. The step fails if a test fails.
    It is an error if there is no test, or if Robot did not end by itself within `timeout` seconds; skipped if all tests
    are. `robot` are the words that call another Robot.
    """

    options = {
        "src": {"type": "path", "required": True},
        "args": {"type": "list", "elements": "str", "default": []},
        "env": {"type": "dict", "default": {}},
        "robot": {"type": "list", "elements": "str"},
        "timeout": {"type": "float", "default": 600},
    }
    reads = ()
    writes = ("suite.robot_v1",)

    def validate(self, ctx, params):
        check_timeout(params)

    def run(self, ctx, params):
        run_suite(ctx, params, "suite.robot_v1", ROBOT)
