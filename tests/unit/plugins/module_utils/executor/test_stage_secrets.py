# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret is given to the step that needs it, and is in no record, environment or command line."""

from __future__ import annotations

import json
import sys
import time

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.scriptlet import Failed, Scriptlet
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import OK, python
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.json_cases import table

SECRET = "hunter2"
GIVEN = {"params": {"password": SECRET, "pin": 12345}, "secrets": [SECRET, "12345"]}
ARGS = {"word": "${params.password}", "url": "http://me:${params.password}@host", "pin": "${params.pin}", "user": "me"}
TELL = f"""#!{sys.executable}
import json, os, sys
given = json.loads(sys.stdin.read())
open("stdin", "w").write(json.dumps(given["params"]))
open("environ", "w").write(open("/proc/self/environ").read())
open("cmdline", "w").write(open("/proc/self/cmdline").read())
word = given["params"]["word"]
print("logging in with", word)
sys.stderr.write("the word is " + word)
print(json.dumps({{"status": "failed", "reason": "no " + word, "outputs": {{"a_v1": {{word: [word, 12345]}}}},
                   "measurements": [{{"name": word, "value": word, "unit": word}}],
                   "checks": [{{"name": "pin", "value": 12345, "eq": 1}}]}}))
"""


class Leak(Scriptlet):
    def run(self, ctx, params):
        print(params["word"])
        raise Failed("x" * 3990 + params["word"] + "y" * 100)


def leaks(ran):
    """Where the records of a stage show a secret."""
    return [record for record in ran.records if SECRET in json.dumps(record) or "12345" in json.dumps(record)]


def test_a_script_has_it_on_stdin_alone(work):
    ran = work.run(work.script(TELL, args=ARGS), **GIVEN)
    assert json.loads((work.folder / "stdin").read_text())["word"] == SECRET
    environment = (work.folder / "environ").read_text()
    assert "RACK_PARAM_USER=me" in environment
    for name in ("environ", "cmdline"):
        assert SECRET not in (work.folder / name).read_text()
    assert "12345" not in environment
    assert leaks(ran) == []
    assert ran.outcome == ("failed", "no ********")
    assert ran.attempt["stdout"].startswith("logging in with ********\n")
    assert ran.attempt["stderr"] == "the word is ********"
    assert ran.deltas[0]["after"] == {"********": ["********", "********"]}
    masked, check = ran.only["measurements"]
    assert masked == {"name": "********", "value": "********", "unit": "********"}
    assert check == {
        "name": "pin",
        "value": "********",
        "unit": "",
        "limits": {"eq": 1},
        "distance": None,
        "verdict": "failed",
    }


class Measures(Scriptlet):
    """Tells a number that is secret in all ways that it can."""

    def run(self, ctx, params):
        pin = params["pin"]
        ctx.check("value", pin, min=0)
        ctx.check("limit", 0, max=pin)
        ctx.check("warning", 0, max=1, warn={"max": -pin})
        ctx.check("distance", pin + 5, min=5)
        ctx.measure("float", float(pin))
        ctx.check("open", 12, max=20)


def test_a_number_shows_neither_as_a_float_nor_by_its_distance(work):
    ran = work.run(python(Measures, args={"pin": "${params.pin}"}), **GIVEN)
    measured = {each["name"]: (each["value"], each.get("distance")) for each in ran.only["measurements"]}
    hidden = "********"
    assert measured == {
        "value": (hidden, None),
        "limit": (0, None),
        "warning": (0, None),
        "distance": (12350, None),
        "float": (hidden, None),
        "open": (12, 8),
    }
    assert {each["name"]: each["verdict"] for each in ran.only["measurements"] if "verdict" in each} == {
        "value": "passed",
        "limit": "passed",
        "warning": "marginal",
        "distance": "passed",
        "open": "passed",
    }
    assert leaks(ran) == []


class Names(Scriptlet):
    def run(self, ctx, params):
        ctx.set("a_v1", 1, who=f"by {params['word']}")
        ctx.set("b_v1", 1, who=params["word"], scope="run")
        ctx.attach("a.txt", b"x", media_type=f"text/{params['word']}")


def test_who_has_set_a_key_and_the_type_of_a_file_are_masked(work):
    ran = work.run(python(Names, args={"word": "${params.password}"}), debug=True, **GIVEN)
    assert [delta["who"] for delta in ran.deltas] == ["by ********", "********@r1"]
    (artifact,) = [record for record in ran.records if record["kind"] == "artifact"]
    assert (artifact["media_type"], artifact["who"]) == ("text/********", "Names")
    assert leaks(ran) == []


def test_a_loop_over_secrets_shows_none(work):
    """Nor do the names of its instances."""
    tell = "cat >&2; " + OK
    words = {"params": {"words": [SECRET, "12345"]}, "secrets": [SECRET, "12345"]}
    one = work.script(tell, "one", loop="${params.words}", args={"word": "${item}"})
    other = work.script(tell, "other", matrix={"word": "${params.words}"}, args={"word": "${matrix.word}"})
    ran = work.run(one, other, debug=True, **words)
    assert list(ran.verdicts) == ["one[0]", "one[1]", "one", "other[0]", "other[1]", "other"]
    assert all('"word": "********"' in ran.steps[name]["attempts"][0]["stderr"] for name in ("one[0]", "other[1]"))
    assert leaks(ran) == []


def test_the_steps_that_follow_have_the_value(work):
    put = work.script('echo \'{"status": "ok", "outputs": {"word_v1": "hunter2"}}\'', "put")
    ran = work.run(put, work.script('[ "$(grep -c hunter2)" = 1 ] && ' + OK, "use"), **GIVEN)
    assert ran.verdicts == {"put": "passed", "use": "passed"}
    assert leaks(ran) == []


def test_a_reason_is_masked_before_it_is_shortened(work):
    ran = work.run(python(Leak, args={"word": "${params.password}"}), **GIVEN)
    assert leaks(ran) == []
    assert "hunt" not in ran.only["reason"]
    assert "... (cut: it had " in ran.only["reason"]


@pytest.mark.parametrize("before", range(9_990, 10_003))
def test_output_is_masked_before_it_is_shortened(work, before):
    text = f"#!{sys.executable}\nprint('x' * {before} + 'hunter2' + 'x' * 100_000 + 'hunter2' + 'x' * {before - 1})\n"
    ran = work.run(work.script(text), **GIVEN)
    shown = ran.attempt["stdout"]
    assert not any(part in shown for part in ("hunt", "ter2", "nter"))
    assert "bytes left out" in shown
    assert not any(part in ran.only["reason"] for part in ("hunt", "ter2", "nter"))


def test_what_is_printed_instead_of_an_envelope_is_masked_before_it_is_shortened(work):
    for after in range(394, 402):
        text = f"#!{sys.executable}\nprint('x' * 1000 + 'hunter2' + 'y' * {after})\n"
        reason = work.run(work.script(text), **GIVEN).only["reason"]
        assert not any(part in reason for part in ("hunt", "ter2", "2yy")), after


@table("options", "args")
def test_an_argument_that_is_refused_is_masked(work, options, args):
    ran = work.run(work.script(OK, args=args, options=options), **GIVEN)
    assert ran.only["verdict"] == "error"
    assert leaks(ran) == []


def test_hooks_have_no_secret_in_their_reasons(work):
    hook = work.script('echo \'{"status": "failed", "reason": "no hunter2"}\'', "hook")
    refused = work.script(OK, "refused", args={"n": "${params.password}"}, options={"n": {"type": "int"}})
    ran = work.run(work.script(OK), hooks={"pre_step": [hook, refused]}, **GIVEN)
    assert leaks(ran) == []
    assert ran.only["hooks"][0]["reason"] == "no ********"
    assert len(ran.only["hooks"]) == 2


def test_logs_have_no_secret(work):
    steps = [
        work.script(TELL, args=ARGS, options={name: {"no_log": name == "user"} for name in ARGS}),
        work.script('echo \'{"status": "ok", "outputs": {"a_v1": "hunter2 again"}}\'', "again"),
    ]
    ran = work.run(*steps, debug=True, **GIVEN)
    assert leaks(ran) == []
    logs = [record["text"] for record in ran.records if record["kind"] == "log"]
    assert '"user": "********"' in logs[0]
    assert any("a_v1 by again: " in text for text in logs)


def test_who_reads_one_line_of_its_input_is_told_of_like_any_other(work):
    reads = """read -r given
echo "given $given" >&2
printf '{"status": "ok", "outputs": {"n_v1": %s}}\\n' "$(printf %s "$given" | grep -c hunter2)"
"""
    steps = [work.script(reads, name, args={"word": "${params.password}"}) for name in ("a", "b")]
    ran = work.run(*steps, debug=True, **GIVEN)
    assert ran.verdicts == {"a": "passed", "b": "passed"}
    assert [delta["after"] for delta in ran.deltas] == [1]
    assert leaks(ran) == []
    assert "********" in ran.steps["a"]["attempts"][0]["stderr"]


def test_without_secrets_nothing_is_masked(work):
    assert work.run(work.script("echo hunter2; " + OK)).attempt["stdout"].startswith("hunter2\n")


class Registers(Scriptlet):
    def run(self, ctx, params):
        print("before zebra-7777")
        assert ctx.secret("zebra-7777") == "zebra-7777"
        ctx.set("a_v1", {"zebra-7777": ["zebra-7777"]})
        ctx.measure("zebra-7777", 1)
        raise Failed("no zebra-7777")


REGISTERED = [
    {"secret": "zebra-7777"},
    {"key": "a_v1", "scope": "host", "value": {"zebra-7777": ["zebra-7777"]}, "shown": {"********": ["********"]}},
]
ENVELOPE = """echo before lion-8888
echo lion-8888 | base64 >&2
printf '{"status": "STATUS", "reason": "no lion-8888", "secrets": ["lion-8888", 123456], '
echo '"outputs": {"b_v1": "lion-8888"}}'
"""


def shows(ran, *texts):
    """Which of these the records of a stage show."""
    return [text for text in texts if text in json.dumps(ran.records)]


def test_what_a_class_registers_is_hidden_from_then_on(work):
    after = work.script("echo zebra-7777 " + OK + "echo zebra-7777 >&2; " + OK, "after")
    ran = work.run(python(Registers), after, debug=True)
    assert shows(ran, "zebra") == []
    assert ran.steps["Registers"]["reason"] == "no ********"
    assert ran.steps["Registers"]["attempts"][0]["stdout"] == "before ********\n"
    assert ran.steps["Registers"]["secrets"] == 1
    assert "secrets" not in ran.steps["after"]
    assert ran.told == REGISTERED


@pytest.mark.parametrize("status", ["ok", "failed", "error", "unknown"])
def test_what_an_envelope_registers_is_hidden_even_in_one_that_breaks_the_rules(work, status):
    after = work.script('echo "lion-8888 123456"; ' + OK, "after")
    ran = work.run(work.script(ENVELOPE.replace("STATUS", status), "tells"), after)
    assert shows(ran, "lion", "123456", "bGlvbi04ODg4") == []
    assert ran.steps["tells"]["attempts"][0]["stdout"].startswith("before ********\n")
    assert ran.steps["tells"]["secrets"] == 2
    assert [entry["secret"] for entry in ran.told if "secret" in entry] == ["lion-8888", "123456"]


def test_an_earlier_try_is_hidden_too(work):
    tries = """echo tiger-99
if mkdir ../tried 2>/dev/null; then echo '{"status": "failed", "reason": "no tiger-99"}'
else echo '{"status": "ok", "secrets": ["tiger-99"]}'; fi
"""
    ran = work.run(work.script(tries, retry={"max": 2}))
    assert ran.outcome == ("marginal", "passed only at try 2, before it failed: no ********")
    assert len(ran.only["attempts"]) == 2
    assert shows(ran, "tiger") == []


def test_hooks_register_secrets_for_their_step(work):
    hook = work.script('echo \'{"status": "ok", "secrets": ["tiger-99"]}\'', "hook")
    ran = work.run(work.script("echo tiger-99; " + OK), hooks={"pre_step": [hook]})
    assert shows(ran, "tiger") == []
    assert ran.only["secrets"] == 1


class Bytes(Scriptlet):
    def run(self, ctx, params):
        ctx.secret(params.get("value", b"zebra-7777"))


@pytest.mark.parametrize(
    ("args", "reason"),
    [
        ({}, "a secret must be a text, or a list or mapping of texts: decode these bytes"),
        ({"value": "x" * 16385}, "a secret of 16385 characters: it may have 16384"),
        ({"value": [f"secret-{number}" for number in range(1001)]}, "1001 secrets at once: there may be 1000"),
    ],
)
def test_what_cannot_be_hidden_is_refused(work, args, reason):
    ran = work.run(python(Bytes, args=args))
    assert ran.outcome == ("error", reason)


def test_arguments_are_secret_for_their_options_and_names(work):
    args = {"word": "option-1", "deep": {"pin": "deep-2"}, "bmc_password": "name-3", "TOKEN": ["list-4"], "user": "me"}
    args["headers"] = {"X-Api-Key": "header-5"}
    options = {
        **{name: {"type": "raw"} for name in args},
        "word": {"no_log": True},
        "deep": {"type": "dict", "options": {"pin": {"no_log": True}}},
    }
    names = ["*password", "*token", "x-???-key"]
    told = "echo option-1 deep-2 name-3 list-4 header-5 user=me; env >&2; " + OK
    ran = work.run(work.script(told, args=args, options=options), secret_keys=names, debug=True)
    assert ran.only["verdict"] == "passed"
    assert shows(ran, "option-1", "deep-2", "name-3", "list-4", "header-5") == []
    assert "RACK_PARAM_USER=me" in ran.attempt["stderr"]
    assert ran.told == []


@pytest.mark.parametrize(
    ("name", "value"), [("password", "abc"), ("password", "true"), ("password", 12345), ("passwords", "abcde")]
)
def test_what_is_no_secret_for_its_name(work, name, value):
    ran = work.run(work.script(f"echo {value}; " + OK, args={name: value}), secret_keys=["*password"])
    assert ran.attempt["stdout"].startswith(f"{value}\n")


def test_a_key_with_the_name_of_a_secret_is_written_without_its_value(work):
    put = work.script('echo \'{"status": "ok", "outputs": {"bmc.password_v1": "falcon-1", "b.token_v2": 12}}\'', "put")
    use = work.script('echo falcon-1; [ "$(grep -c falcon-1)" = 1 ] && ' + OK, "use")
    ran = work.run(put, use, secret_keys=["*password", "b.token_v*"], debug=True)
    assert ran.verdicts == {"put": "passed", "use": "passed"}
    assert [delta["after"] for delta in ran.deltas] == ["********", "********"]
    assert shows(ran, "falcon", "null -> 12") == []
    assert ran.told == [
        {"secret": "falcon-1"},
        {"key": "bmc.password_v1", "scope": "host", "value": "falcon-1", "shown": "********"},
        {"key": "b.token_v2", "scope": "host", "value": 12, "shown": "********"},
    ]


SALT = "5a" * 32


def inputs(work, salt=SALT, **given):
    step = work.script(OK, digest="sha256:1", reads=["in_v1"], args={"word": "${params.password}"})
    return work.run(step, **{**GIVEN, "salt": salt, **given}).only["inputs"]


def test_no_plain_digest_is_made_of_a_secret(work):
    assert inputs(work).startswith("hmac:")
    assert inputs(work) == inputs(work)
    assert inputs(work) != inputs(work, "5b" * 32)
    assert inputs(work) != inputs(work, params={"password": "hunter3"}, secrets=["hunter3"])
    assert inputs(work, params={"password": "hunter2"}, secrets=[]).startswith("sha256:")
    assert inputs(work, "") != inputs(work, "")  # nobody can compare what was made without a salt


@pytest.mark.parametrize("reads", [None, ["in_v1"]])
def test_nor_of_one_in_the_context(work, reads):
    def made(value, secrets, salt=SALT):
        step = work.script(OK, digest="sha256:1", reads=reads)
        return work.run(step, own={"in_v1": [1, value]}, secrets=secrets, salt=salt).only["inputs"]

    plain = made("falcon-1", [])
    assert plain != made("falcon-1", ["falcon-1"]) == made("falcon-1", ["falcon-1"])
    assert made("falcon-1", ["falcon-1"]) != made("falcon-1", ["falcon-1"], "5b" * 32)
    assert made("falcon-1", ["eagle-2"]) == plain


class Knows(Scriptlet):
    def run(self, ctx, params):
        ctx.set("a_v1", [ctx.shows_secret("a hunter2"), ctx.shows_secret("zebra-7777"), ctx.shows_secret("x")])
        ctx.secret("zebra-7777")
        ctx.set("b_v1", [ctx.shows_secret("zebra-7777")])


def test_a_class_can_ask_what_must_not_be_seen(work):
    ran = work.run(python(Knows), **GIVEN)
    assert [delta["after"] for delta in ran.deltas] == [[True, False, False], [True]]


NAMED = {"secret_keys": ["*password", "*token"]}
LOGIN = {"user": "root", "password": "correct horse", "old": [{"password": "battery staple", "n": 1}], "token": 918273}
SHOWN_LOGIN = {"user": "root", "password": "********", "old": [{"password": "********", "n": 1}], "token": "********"}
NAMED_SECRETS = ("correct horse", "battery staple", "918273")


def shows_login(ran):
    """The records that show a secret of LOGIN."""
    return [each for each in ran.records if any(secret in json.dumps(each) for secret in NAMED_SECRETS)]


class SetsLogin(Scriptlet):
    def run(self, ctx, params):
        print("the login is", json.dumps(LOGIN))
        ctx.set("login.cfg_v1", LOGIN, scope=params.get("scope"))
        ctx.set("login.cfg_v1", {**LOGIN, "user": "admin"}, scope=params.get("scope"))
        ctx.measure("login", LOGIN)
        ctx.measure("last_token", "battery staple")
        ctx.check("login", LOGIN, eq=LOGIN)


class UsesLogin(Scriptlet):
    def run(self, ctx, params):
        if ctx.get("login.cfg_v1") != {**LOGIN, "user": "admin"}:
            raise Failed("it is not what was set")
        raise Failed(f"the password is {ctx.get('login.cfg_v1')['password']}, the token {LOGIN['token']}")


@pytest.mark.parametrize("scope", ["host", "run"])
def test_names_of_secrets_hold_inside_of_a_value(work, scope):
    ran = work.run(python(SetsLogin, args={"scope": scope}), python(UsesLogin), debug=True, **NAMED)
    assert [delta["after"] for delta in ran.deltas] == [SHOWN_LOGIN, {**SHOWN_LOGIN, "user": "admin"}]
    assert ran.verdicts["SetsLogin"] == "passed"
    assert ran.reasons["UsesLogin"] == "the password is ********, the token ********"
    values = [each["value"] for each in ran.steps["SetsLogin"]["measurements"]]
    assert values == [SHOWN_LOGIN, "********", SHOWN_LOGIN]
    assert shows_login(ran) == []
    revealed = [entry["value"] for entry in ran.told if entry.get("shown") == SHOWN_LOGIN]
    assert revealed == [LOGIN]


def test_names_of_secrets_hold_inside_of_what_an_envelope_gives(work):
    envelope = {"status": "ok", "outputs": {"login.cfg_v1": LOGIN}, "measurements": [{"name": "login", "value": LOGIN}]}
    ran = work.run(work.script(f"echo '{json.dumps(envelope)}'"), **NAMED)
    assert ran.deltas[0]["after"] == SHOWN_LOGIN
    assert ran.only["measurements"][0]["value"] == SHOWN_LOGIN
    assert shows_login(ran) == []


def test_what_is_no_secret_stays_under_the_name_of_one(work):
    value = {"password": None, "token": "", "has_token": True, "tokens": [], "b": {"password": {}}}
    envelope = {"status": "ok", "outputs": {"a_v1": value}}
    ran = work.run(work.script(f"echo '{json.dumps(envelope)}'"), **NAMED)
    assert ran.deltas[0]["after"] == value
    assert ran.told == []


class AttachesLogin(Scriptlet):
    def run(self, ctx, params):
        ctx.set("login.cfg_v1", LOGIN)
        ctx.set("root.password_v1", "swordfish")
        ctx.attach("correct horse.txt", b"the words are correct horse and swordfish")


def test_a_file_that_shows_what_has_the_name_of_a_secret_is_masked_as_any_other(work):
    ran = work.run(python(AttachesLogin), **NAMED)
    (kept,) = work.artifacts.iterdir() if work.artifacts.exists() else [None]
    assert shows_login(ran) == []
    assert kept is None or b"correct horse" not in kept.read_bytes()


def test_an_earlier_result_without_its_secrets_is_not_used_again(work):
    delta = {"kind": "delta", "step": "SetsLogin", "attempt": 1, "scope": "host", "key": "login.cfg_v1"}
    delta.update({"after": SHOWN_LOGIN, "who": "SetsLogin"})
    record = {"kind": "step", "step": "SetsLogin", "verdict": "passed", "measurements": [], "blocks": False}
    first = work.run(python(SetsLogin, digest="sha256:1"), **NAMED)
    offer = {"run": "R0", "inputs": first.only["inputs"], "verdict": "passed", "kind": "cache"}
    offers = {"SetsLogin": [{**offer, "records": [delta, record]}]}
    ran = work.run(python(SetsLogin, digest="sha256:1"), offers=offers, **NAMED)
    assert ran.verdicts == {"SetsLogin": "passed"}


class SetsKey(Scriptlet):
    def run(self, ctx, params):
        ctx.set(f"login.{params['word']}_v1", 1)


KEY_REFUSED = "a context key whose text shows a secret, and everybody sees keys: give it another name"


@pytest.mark.parametrize("kind", ["python", "shell"])
def test_a_key_whose_text_shows_a_secret_is_refused(work, kind):
    shell = work.script('echo \'{"status": "ok", "outputs": {"login.hunter2_v1": 1}}\'', "SetsKey")
    step = shell if kind == "shell" else python(SetsKey, args={"word": "${params.password}"})
    ran = work.run(step, debug=True, **GIVEN)
    assert ran.only["verdict"] == "error"
    assert ran.only["reason"].endswith(KEY_REFUSED)
    assert ran.deltas == []
    assert leaks(ran) == []


class SetsKeyLate(Scriptlet):
    def run(self, ctx, params):
        ctx._emit({"kind": "secret", "texts": ["swordfish"]})
        ctx._secrets = None  # it does not know of the secret, as of those that steps beside it register
        ctx.set("login.swordfish_v1", 1)
        time.sleep(60)


def test_a_key_that_shows_a_secret_of_another_step_is_refused(work):
    ran = work.run(python(SetsKeyLate))
    assert ran.outcome == ("error", f"stopped: it sent {KEY_REFUSED}")
    assert ran.deltas == []
    assert "swordfish" not in json.dumps(ran.records)
