# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that steps attach: from Python, from an envelope, by hooks and instances; what of them is told, and kept."""

from __future__ import annotations

import hashlib
import resource

from ansible_collections.rack.recipes.plugins.module_utils.executor.stage_run import run_single
from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, python

SECRET = "correct horse battery staple"
LOG = """echo one two >a.log
echo '{"status": "STATUS", "reason": "cold", "artifacts": [{"name": "a.log", "path": "PATH"}]}'
"""


class Attach(Scriptlet):
    def run(self, ctx, params):
        found = ctx.attach("numbers.bin", bytes(range(256)), "application/octet-stream")
        ctx.set("numbers.digest_v1", found["sha256"])


class Large(Scriptlet):
    """Attaches a file of 64 MiB, and says how much memory that took."""

    def run(self, ctx, params):
        with open("large", "wb") as file:
            file.truncate(64 * 1024 * 1024)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        ctx.attach("large", "large")
        ctx.measure("grown", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, "KiB")


class Careful(Scriptlet):
    def run(self, ctx, params):
        try:
            ctx.attach("a", "/gone")
        except ValueError as error:
            raise Failed(str(error)) from None


def attached(ran):
    return [record for record in ran.records if record["kind"] == "artifact"]


def kept(work):
    return {entry.name: entry.read_bytes() for entry in work.artifacts.iterdir()} if work.artifacts.exists() else {}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def test_from_python(work):
    ran = work.run(python(Attach))
    data = bytes(range(256))
    (record,) = attached(ran)
    assert record.pop("time").endswith("Z")
    assert record == {
        "kind": "artifact", "stage": 1, "n": 0, "host": "r1", "step": "Attach", "attempt": 1, "name": "numbers.bin",
        "sha256": digest(data), "size": 256, "media_type": "application/octet-stream", "who": "Attach",
    }  # fmt: skip
    assert kept(work) == {digest(data): data}
    assert ran.outcome == ("passed", "")
    assert ran.deltas[0]["after"] == digest(data)
    assert [each["kind"] for each in ran.records] == ["artifact", "delta", "step"]


def test_a_large_file_is_never_in_memory(work):
    ran = work.run(python(Large))
    (grown,) = ran.only["measurements"]
    assert attached(ran)[0]["size"] == 64 * 1024 * 1024
    assert grown["value"] < 16 * 1024


def test_from_an_envelope_also_of_a_step_that_fails(work):
    for status in ("ok", "failed"):
        ran = work.run(work.script(LOG.replace("PATH", "a.log").replace("STATUS", status)))
        assert ran.only["verdict"] == ("passed" if status == "ok" else "failed")
        assert [(each["name"], each["size"]) for each in attached(ran)] == [("a.log", 8)]
    assert kept(work) == {digest(b"one two\n"): b"one two\n"}


def test_a_file_elsewhere_is_refused_with_the_reason(work):
    ran = work.run(work.script(LOG.replace("PATH", "/etc/hostname").replace("STATUS", "ok")))
    reason = "artifact a.log: /etc/hostname is not inside of the step's working folder: copy it there"
    assert ran.outcome == ("error", reason)
    assert (attached(ran), kept(work)) == ([], {})


def test_an_envelope_with_something_else(work):
    ran = work.run(work.script("""echo '{"status": "ok", "artifacts": {"name": "a"}}'"""))
    assert ran.outcome == ("error", "the envelope's artifacts must be a list")


def test_a_scriptlet_may_say_itself_what_a_missing_file_means(work):
    assert work.run(python(Careful)).outcome == ("failed", "artifact a: /gone: No such file or directory")


def test_each_try_has_its_own(work):
    text = """echo x >>log
echo '{"status": "failed", "reason": "no", "artifacts": [{"name": "log", "path": "log"}]}'"""
    ran = work.run(work.script(text, retry={"max": 2}))
    assert [(each["attempt"], each["size"]) for each in attached(ran)] == [(1, 2), (2, 4)]
    assert len(kept(work)) == 2


def test_a_hook_is_named(work):
    hook = {**python(Attach), "name": "site.capture"}
    ran = work.run(work.script(OK), hooks={"post_step": [hook]})
    assert [(each["step"], each["who"]) for each in attached(ran)] == [("script", "site.capture")]


def test_secrets_are_in_no_file_and_no_name(work):
    text = f"""printf 'the word is {SECRET}' >log
printf '\\377{SECRET}' >bin
echo '{{"status": "ok", "artifacts": [{{"name": "{SECRET}.log", "path": "log"}}, {{"name": "b", "path": "bin"}}]}}'"""
    ran = work.run(work.script(text), secrets=[SECRET])
    found = attached(ran)
    assert [(each["name"], each["masked"]) for each in found] == [("********.log", True), ("b", False)]
    assert kept(work)[found[0]["sha256"]] == b"the word is ********"


def test_debug_tells_it(work):
    ran = work.run(python(Attach), debug=True)
    (told,) = [record["text"] for record in ran.records if record.get("event") == "attach"]
    assert told == f"numbers.bin: 256 bytes, {digest(bytes(range(256)))}"


def test_without_a_run_there_is_only_the_digest(work):
    result = run_single(Attach, {})
    assert result["artifacts"] == [{"name": "numbers.bin", "sha256": digest(bytes(range(256))), "size": 256}]
    assert kept(work) == {}
