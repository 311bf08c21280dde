# SPDX-License-Identifier: GPL-3.0-or-later

"""The program `rack_live`: the live bus for shell scriptlets. `rack.sh` calls it."""

from __future__ import annotations

import json
import os
import sys

try:
    from ansible_collections.rack.recipes.plugins.module_utils import live_client
except ImportError:  # on a host, where it lies beside this file
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    live_client = __import__("live_client")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Callable

    from ansible_collections.rack.recipes.plugins.module_utils.live_client import Live

GIVEN = "RACK_LIVE"  # the variable with what a shell scriptlet is given, as JSON
NOTHING = object()
USAGE = """\
rack_live get KEY [DEFAULT]           the value that a key has now
rack_live set KEY TEXT                set a key of this host, with --run of the run
rack_live set_json KEY JSON           the same with JSON
rack_live increment KEY [NUMBER]      add to a number
rack_live wait NAME                   wait for a message, or until a key (NAME_v1) is set
rack_live wait_all NAME [HOST...]     wait until all hosts have sent a message
rack_live send NAME [TEXT]            send a message
rack_live sync NAME [HOST...]         meet all hosts at a barrier
rack_live abort REASON [NAME]         end the waiting of all
rack_live once NAME                   exit code 0 for the first one, 1 for all others
rack_live lock NAME, unlock NAME      get a lock, give it back
Options: --timeout SECONDS, --host HOST, --run, --lease SECONDS, --on-lost wait"""
OPTIONS = ("timeout", "host", "lease", "on-lost")


def command(words: Sequence[str], live: Live) -> tuple[int, Any]:
    """Run one call of `rack_live`; returns its exit code and what it prints. Raises LiveError and ValueError."""
    plain, options = _parsed(words)
    if not plain or plain[0] not in COMMANDS:
        raise ValueError(f"rack_live: expected one of {', '.join(COMMANDS)}, got {plain[0] if plain else 'nothing'}")
    least, most, call = COMMANDS[plain[0]]
    if not least <= len(plain) - 1 <= most:
        raise ValueError(f"rack_live {plain[0]}: wrong number of words; there are:\n{USAGE}")
    found = call(live, plain[1:], options)
    if plain[0] == "once":
        return 0 if found else 4, ""
    return 0, found if plain[0] in TOLD else ""


def _parsed(words: Sequence[str]) -> tuple[list[str], dict[str, Any]]:
    plain: list[str] = []
    options: dict[str, Any] = {}
    rest = iter(words)
    for word in rest:
        name = word[2:]
        if word == "--run":
            options["scope"] = "run"
        elif word.startswith("--") and name in OPTIONS:
            value = next(rest, "")
            options[name.replace("-", "_")] = float(value) if name in ("timeout", "lease") else value
        elif word.startswith("--"):
            raise ValueError(f"rack_live: there is no option {word}; there are --run, --{', --'.join(OPTIONS)}")
        else:
            plain.append(word)
    return plain, options


def _get(live: Live, words: list[str], options: dict[str, Any]) -> Any:
    found = live.get(words[0], NOTHING, **options)
    if found is NOTHING and not words[1:]:
        raise ValueError(f"rack_live get: {words[0]} is not set")
    return words[1] if found is NOTHING else found


def _owner(live: Live) -> str:
    """A lock of a shell script belongs to its step on its host, so that another call can give it back."""
    return f"{live.step}@{live.host or 'run'}"


MOST = 10_000
TOLD = ("get", "increment", "wait", "wait_all", "sync")  # the calls whose result is printed
# For each call the least and the most number of its words, and what it does.
COMMANDS: dict[str, tuple[int, int, Callable[[Live, Any, dict[str, Any]], Any]]] = {
    "get": (1, 2, _get),
    "set": (2, 2, lambda live, words, more: live.set(words[0], words[1], **more)),
    "set_json": (2, 2, lambda live, words, more: live.set(words[0], json.loads(words[1]), **more)),
    "increment": (1, 2, lambda live, words, more: live.increment(words[0], *map(json.loads, words[1:]), **more)),
    "wait": (1, 1, lambda live, words, more: live.wait(words[0], **more)),
    "wait_all": (1, MOST, lambda live, words, more: live.wait_all(words[0], words[1:] or live_client.ALL, **more)),
    "send": (1, 2, lambda live, words, more: live.send(*words, **more)),
    "sync": (1, MOST, lambda live, words, more: live.sync(words[0], words[1:] or live_client.ALL, **more)),
    "abort": (1, 2, lambda live, words, more: live.abort(*words, **more)),
    "once": (1, 1, lambda live, words, more: live.once(words[0], **more)),
    "lock": (1, 1, lambda live, words, more: live.lock(words[0], owner=_owner(live), **more)),
    "unlock": (1, 1, lambda live, words, _more: live.free(words[0], _owner(live))),
}


def main() -> int:
    """`rack_live`: the exit code is 0, 4 where `once` was not the first, 1 with the reason on stdout."""
    try:
        live = live_client.Live(json.loads(os.environ.get(GIVEN) or "{}"))
        code, printed = command(sys.argv[1:], live)
    except (live_client.LiveError, ValueError, TypeError, KeyError) as error:
        sys.stdout.write(f"{error}\n")
        return 1
    if printed is not None and printed != "":
        sys.stdout.write(f"{printed if isinstance(printed, str) else json.dumps(printed)}\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main())
