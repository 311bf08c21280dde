# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What --debug tells of a stage."""

from __future__ import annotations

import json
import sys

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, python


class Probe(Scriptlet):
    options = {"src": {}, "login": {"type": "dict", "options": {"user": {}, "word": {"no_log": True}}}}

    def run(self, ctx, params):
        ctx.set("a_v1", {"x": 1})
        ctx.set("a_v1", {"x": 2}, who="somebody")
        raise Failed("hot")


def logs(ran):
    return [record for record in ran.records if record["kind"] == "log"]


def test_what_is_told_of_a_step(work):
    args = {"src": "x", "login": {"user": "me", "word": "hunter2"}}
    ran = work.run(python(Probe, args=args, options=Probe.options), own={"a_v1": [1, "before"]}, debug=True)
    found = logs(ran)
    assert [record["event"] for record in found] == ["start", "set", "set", "process", "end"]
    head = {"kind": "log", "stage": 1, "n": 0, "host": "r1", "step": "Probe", "attempt": 1}
    assert all({name: record[name] for name in head} == head for record in found)
    assert all(record["time"].endswith("Z") for record in found)
    texts = [record["text"] for record in found]
    assert json.loads(texts[0]) == {"src": "x", "login": {"user": "me", "word": "********"}}
    assert texts[1:3] == [
        'a_v1 by Probe: "before" -> {"x": 1}',
        'a_v1 by somebody: {"x": 1} -> {"x": 2}',
    ]
    assert texts[3].startswith("process ")
    assert texts[3].endswith(" ended with exit code 1")
    assert texts[4] == "failed: hot"


def test_each_try_is_told(work):
    ran = work.run(work.script("kill -9 $$", retry={"max": 2}), debug=True)
    assert [(record["event"], record["attempt"]) for record in logs(ran)] == [
        ("start", 1),
        ("process", 1),
        ("end", 1),
        ("start", 2),
        ("process", 2),
        ("end", 2),
    ]
    assert logs(ran)[1]["text"].endswith(" ended with signal 9")


def test_what_a_step_logs_and_its_variables_are_told(work):
    def run(self, ctx, params):
        total = 2 + 3
        sys.stderr.write(f"hot: {total}\n")
        raise OSError("no disk")

    ran = work.run(python(type("Watched", (Scriptlet,), {"run": run})), debug=True)
    (told,) = [record["text"] for record in logs(ran) if record["event"] == "stderr"]
    assert "run: total = 5\nhot: 5\nTraceback (most recent call last):\n" in told
    assert told.endswith("OSError: no disk\n")


def test_a_long_value_is_cut(work):
    put = 'printf \'{"status":"ok","outputs":{"a_v1":"\'; head -c 100000 /dev/zero | tr "\\0" x; echo \'"}}\''
    (told,) = [record for record in logs(work.run(work.script(put), debug=True)) if record["event"] == "set"]
    assert len(told["text"]) < 3000
    assert told["text"].endswith("xxx...")


def test_scriptlets_know_of_it(work):
    tell = 'echo \'{"status": "ok", "outputs": {"debug_v1": "\'$RACK_DEBUG $RACK_RUN\'"}}\''

    def run(self, ctx, params):
        import os

        ctx.set("class_v1", [os.environ.get("RACK_DEBUG", ""), os.environ.get("RACK_RUN", "")])

    tells = type("Tells", (Scriptlet,), {"run": run})
    values = [delta["after"] for delta in work.run(work.script(tell), python(tells), debug=True).deltas]
    assert values == ["1 run1", ["1", "run1"]]
    values = [delta["after"] for delta in work.run(work.script(tell), python(tells)).deltas]
    assert values == [" run1", ["", ""]]


def test_otherwise_it_is_quiet(work):
    assert logs(work.run(work.script(OK))) == []
