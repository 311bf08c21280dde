# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waits for a port, a file, a command or a web service."""

from __future__ import annotations

import time
from pathlib import Path

from ansible_collections.rack.recipes.plugins.module_utils.program_end import end_in_words
from rack_recipes import Failed, Scriptlet
from scriptlets.tools.commands import completed, last_line
from scriptlets.tools.service_answers import NoServiceError, NotHttpError, ask_http, ask_port, check_url

KINDS = ("port", "file", "argv", "url")
SHORTEST = 0.1  # seconds that a look may take, also the last one
PORTS = 65535


class WaitFor(Scriptlet):
    """Waits until a port, a file, the exit code of a command or the status of a web service is there.

    It is one of `port`, `file`, `argv` and `url`. After the time it fails, and says what was seen last.
    """

    options = {
        "port": {
            "type": "int",
            "description": "A port of `host` that must take connections",
            "unit": "TCP port",
        },
        "host": {
            "type": "str",
            "default": "127.0.0.1",
            "description": "The host of the port",
        },
        "file": {
            "type": "path",
            "description": "A path that must exist",
        },
        "argv": {
            "type": "list",
            "elements": "str",
            "description": "A command, as a list of words, that must end with `exit_code`",
        },
        "exit_code": {
            "type": "int",
            "default": 0,
            "description": "The exit code of the command",
            "unit": "exit code",
        },
        "url": {
            "type": "str",
            "description": "A web service that must answer `status`",
        },
        "status": {
            "type": "int",
            "default": 200,
            "description": "The status of the web service",
            "unit": "HTTP status",
        },
        "verify": {
            "type": "bool",
            "default": True,
            "description": "Whether its certificate must be trusted",
        },
        "timeout": {
            "type": "float",
            "default": 60,
            "description": "How long is waited",
            "unit": "s",
        },
        "interval": {
            "type": "float",
            "default": 0.5,
            "description": "The time between two looks",
            "unit": "s",
        },
        "look_timeout": {
            "type": "float",
            "default": 5,
            "description": "How long one look may take",
            "unit": "s",
        },
    }
    reads = ()
    writes = {"generic.wait_v1": "is_there, what was `seen` last, `looks` (their number) and seconds (s)"}
    needs = ("the command, where one is named",)
    verdicts = {
        "failed": "it was not there in time",
        "error": "an argument is wrong",
    }
    example = """
        - name: up
          module: generic.wait
          args: {port: 22, timeout: 300}
          timeout: 320
    """

    def validate(self, ctx, params):
        if sum(params[kind] is not None for kind in KINDS) != 1:
            raise ValueError(f"expected exactly one of {', '.join(KINDS)}")
        if params["url"] is not None:
            check_url(params["url"])
        if params["port"] is not None and not 0 < params["port"] <= PORTS:
            raise ValueError(f"port: expected 1 to {PORTS}, got {params['port']}")
        if params["interval"] <= 0 or params["look_timeout"] <= 0:
            raise ValueError("interval, look_timeout: expected more than 0 seconds")

    def run(self, ctx, params):
        kind = next(kind for kind in KINDS if params[kind] is not None)
        is_there, seen, looks, seconds = waited(LOOKS[kind], params)
        ctx.set("generic.wait_v1", {"is_there": is_there, "seen": seen, "looks": looks, "seconds": seconds})
        ctx.measure("seconds", seconds, "s")
        if ctx.check("is_there", is_there, eq=True) == "failed":
            raise Failed(
                f"waited {params['timeout']:g} s in vain, at last {seen}: look whether its service has started"
            )


def waited(look, params):
    """Look until it is there, or the time is over: whether it is, what was seen, the number of looks, the seconds."""
    started, looks = time.monotonic(), 0
    while True:
        left = params["timeout"] - (time.monotonic() - started)
        is_there, seen = look(params, max(SHORTEST, min(left, params["look_timeout"])))
        looks, passed = looks + 1, time.monotonic() - started
        if is_there or passed >= params["timeout"]:
            return is_there, seen, looks, round(passed, 3)
        time.sleep(min(params["interval"], params["timeout"] - passed))


def _port(params, seconds):
    found = ask_port(params["host"], params["port"], "tcp", seconds)
    return found.state == "open", f"{params['host']} port {params['port']} was {found.state}"


def _file(params, _seconds):
    is_there = Path(params["file"]).exists()
    return is_there, f"{params['file']} {'was there' if is_there else 'did not exist'}"


def _command(params, seconds):
    try:
        done = completed(params["argv"], seconds=seconds)
    except ValueError as error:
        return False, str(error)
    said = f"{params['argv'][0]} {end_in_words(done.returncode)}: {last_line(done) or 'it printed nothing'}"
    return done.returncode == params["exit_code"], said


def _web(params, seconds):
    try:
        answer = ask_http(params["url"], seconds, verify=params["verify"])
    except NotHttpError as error:
        return False, f"{params['url']} {error}"
    except NoServiceError as error:
        return False, f"{params['url']} was {error.state}"
    return answer.status == params["status"], f"{params['url']} answered status {answer.status}"


LOOKS = {"port": _port, "file": _file, "argv": _command, "url": _web}
