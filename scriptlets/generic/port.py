# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a TCP or UDP port answers as it must."""

from __future__ import annotations

from rack_recipes import Failed, Scriptlet
from scriptlets.tools.limits import judge
from scriptlets.tools.service_answers import ADVICE, ask_port

PORTS = 65535


class PortCheck(Scriptlet):
    """Connects to a TCP port, or sends one packet to a UDP port and waits for an answer.

    A port is `open` (it answers), `refused` (nothing listens there), `silent` (nothing came in time), `unreachable`
    (the network said so) or `unknown` (the name is not resolved).
    """

    options = {
        "host": {
            "type": "str",
            "required": True,
            "description": "The name or address that is asked",
        },
        "port": {
            "type": "int",
            "required": True,
            "description": "The port that is asked, 1 to 65535",
            "unit": "port",
        },
        "protocol": {
            "type": "str",
            "default": "tcp",
            "choices": ["tcp", "udp"],
            "description": "TCP, or UDP",
        },
        "expect": {
            "type": "str",
            "default": "open",
            "choices": ["open", "refused", "silent"],
            "description": "What the port must be",
        },
        "send_hex": {
            "type": "str",
            "default": "",
            "description": (
                "What is sent to a UDP port, in hexadecimal digits; many services are silent to what they do "
                "not understand"
            ),
        },
        "timeout": {
            "type": "float",
            "default": 3,
            "description": "How long is waited for an answer",
            "unit": "s",
        },
        "max_ms": {
            "type": "float",
            "description": "How long an answer may take",
            "unit": "ms",
        },
    }
    reads = ()
    writes = {"generic.port_v1": "`state`, and `ms` until the answer (ms)"}
    needs = ()
    verdicts = {
        "failed": "the port is not what it must be, or too slow",
        "error": "an argument is wrong",
    }
    example = """
        - name: ssh
          module: generic.port
          args: {host: localhost, port: 22}
    """

    def validate(self, ctx, params):
        if not 0 < params["port"] <= PORTS:
            raise ValueError(f"port: expected 1 to {PORTS}, got {params['port']}")
        try:
            bytes.fromhex(params["send_hex"])
        except ValueError:
            raise ValueError(f"send_hex: expected pairs of hexadecimal digits, got {params['send_hex']!r}") from None

    def run(self, ctx, params):
        where = f"{params['host']} port {params['port']} ({params['protocol']})"
        payload = bytes.fromhex(params["send_hex"])
        found = ask_port(params["host"], params["port"], params["protocol"], params["timeout"], payload)
        ctx.set("generic.port_v1", {"state": found.state, "ms": found.ms})
        verdict = judge(ctx, "ms", found.ms, "ms", max=params["max_ms"])
        if ctx.check("state", found.state, eq=params["expect"]) == "failed":
            said = ADVICE.get(found.state, "answers: stop the service, or close the port in the firewall")
            raise Failed(f"{where} {said} (expected {params['expect']}, found {found.state})")
        if verdict == "failed":
            raise Failed(f"{where} took {found.ms:g} ms, at most {params['max_ms']:g}: look for load on host and way")
