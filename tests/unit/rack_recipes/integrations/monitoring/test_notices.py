# SPDX-License-Identifier: GPL-3.0-or-later

"""What other systems are told of a run, signed."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.model_server import (
    Handler,
    ModelServer,
    Reply,
    model_server,
)
from ansible_collections.rack.recipes.tests.unit.rack_recipes.run.minimal_runs import a_run, planned, step
from rack_recipes.errors import UsageError
from rack_recipes.integrations.monitoring import signed_post
from rack_recipes.integrations.monitoring.end_notice import tell_end
from rack_recipes.integrations.monitoring.run_notice import MOST_HOSTS, build_notice
from rack_recipes.integrations.monitoring.signed_post import post, signature, target_of
from rack_recipes.journal.append import append
from rack_recipes.run.current_run import Run, RunInputs
from rack_recipes.settings import Settings

HOSTS = tuple(f"h{number:02}" for number in range(60))
SECRET = "hunter2-of-the-bmc"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run on 60 hosts that failed on all of them; its store is away."""
    made = a_run(
        tmp_path,
        planned("a", *HOSTS),
        hosts=HOSTS,
        inputs=RunInputs(mask=Mask((SECRET,))),
        db=f"sqlite:///{tmp_path}/none.db",
        notify_url="http://127.0.0.1:9/",
    )
    append(made.path, [step("a", host, "failed", reason=SECRET) for host in HOSTS])
    made.catch_up()
    made.stored = "the store is away"
    return made


def test_the_first_hosts_are_named_and_all_are_counted(run: Run):
    told = build_notice(run)
    assert (told["status"], told["counts"], told["hosts"]) == ("failed", {"failed": 60}, 60)
    assert (told["failing_hosts"], told["failing_hosts_total"]) == ([*HOSTS[:MOST_HOSTS]], 60)


def test_a_store_that_is_away_has_no_findings_and_that_is_told(run: Run):
    told = build_notice(run)
    assert (told["findings"], told["is_stored"]) == ([], False)


def test_secrets_are_masked_wherever_they_stand(tmp_path: Path, run: Run):
    first = (tmp_path / "R1" / "journal.jsonl").read_text()
    assert SECRET in first, "the journal of this test is not masked"
    made = a_run(tmp_path / "other", planned(SECRET), hosts=(SECRET,), inputs=RunInputs(mask=Mask((SECRET,))))
    append(made.path, [step(SECRET, SECRET, "failed")])
    made.catch_up()
    assert SECRET not in str(build_notice(made, was_interrupted=True))


def test_a_run_in_which_one_of_several_roles_tested_nothing_is_told_as_failed(tmp_path: Path):
    made = a_run(tmp_path / "roles", planned("a"), hosts=("h1",))
    append(made.path, [step("a", "h1", "passed", checks=1)])
    made.catch_up()
    assert build_notice(made)["status"] == "passed"
    made.failed_verdicts["no step of the role idle passed"] = None
    assert build_notice(made)["status"] == "failed"


def test_a_run_that_was_interrupted_says_so(run: Run):
    assert build_notice(run, was_interrupted=True)["status"] == "interrupted"


def test_without_an_address_nobody_is_told(tmp_path: Path):
    assert tell_end(a_run(tmp_path / "quiet", planned("a"))) == ""


def test_what_is_wrong_with_the_settings_is_said(run: Run):
    assert tell_end(run).startswith("the end of this run was not told: notices are signed: give notify_secret_file")


SIGNING_SECRET = "s" * 32
SETTINGS = Settings(notify_url="http://eda.example/rack", notify_secret=SIGNING_SECRET)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServer]:
    monkeypatch.setattr(signed_post, "PAUSE", 0.01)
    with model_server() as started:
        yield started


def to(receiver: ModelServer, seconds: float = 300.0) -> signed_post.Target:
    return target_of(replace(SETTINGS, notify_url=receiver.url, notify_timeout=seconds))


def taken(handler: Handler) -> None:
    handler.send(b"ok")


def refusing(code: int) -> Reply:
    return lambda handler: handler.send(b"", code)


def test_the_signature_is_that_of_the_body():
    """As `printf %s '{"a": 1}' | openssl dgst -sha256 -hmac key` says."""
    assert signature("key", b'{"a": 1}') == "sha256=85e7b68cdf027474f0f0b8e2e63c4afb88cacf8a3e503aa13160f290dfc506d4"


def test_a_notice_is_sent_once_with_its_signature(receiver: ModelServer):
    receiver.replies = [taken]
    told = {"text": "Ü \u202e", "number": 1}
    post(to(receiver), told)
    [(path, headers, body)] = receiver.asked
    assert (path, body) == ("/v1", told)
    assert headers["Content-Type"] == "application/json"
    assert headers["X-Hub-Signature-256"] == signature(SIGNING_SECRET, json.dumps(told).encode())


def test_a_receiver_that_is_busy_is_tried_again(receiver: ModelServer):
    receiver.replies = [refusing(503), refusing(429), taken]
    post(to(receiver), {})
    assert len(receiver.asked) == 3


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_a_receiver_that_refuses_is_not_asked_again(receiver: ModelServer, code: int):
    receiver.replies = [refusing(code)]
    with pytest.raises(UsageError, match=f"answered with HTTP {code}"):
        post(to(receiver), {})
    assert len(receiver.asked) == 1


def test_three_tries_are_made_and_one_in_the_last_moment(receiver: ModelServer):
    receiver.replies = [refusing(500)]
    with pytest.raises(UsageError, match="answered with HTTP 500"):
        post(to(receiver), {})
    assert len(receiver.asked) == 3
    with pytest.raises(UsageError, match="answered with HTTP 500"):
        post(to(receiver), {}, is_last_moment=True)
    assert len(receiver.asked) == 4


def test_a_receiver_that_never_answers_is_given_up(receiver: ModelServer):
    receiver.replies = [lambda _handler: receiver.ended.wait()]
    with pytest.raises(UsageError, match=r"gave no whole answer within 0\.\d+ s"):
        post(to(receiver, 0.2), {})


def test_nobody_listens_and_that_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(signed_post, "PAUSE", 0.01)
    with socket.socket() as bound:  # which does not listen
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}/"
        target = target_of(replace(SETTINGS, notify_url=url, notify_timeout=300.0))
        with pytest.raises(UsageError, match="cannot be reached: Connection refused"):
            post(target, {})


@pytest.mark.parametrize(
    "url", ["eda.example", "ftp://eda.example/", "https://u:p@eda.example/", "https://e/#a", "http://"]
)
def test_another_address_is_refused(url: str):
    with pytest.raises(UsageError, match="notify_url is not an address such as"):
        target_of(replace(SETTINGS, notify_url=url))


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_notice_is_never_sent_unsigned(secret: str):
    with pytest.raises(UsageError, match="notices are signed: give notify_secret_file"):
        target_of(replace(SETTINGS, notify_secret=secret))


def test_the_secret_of_the_file_wins_and_is_not_shown(tmp_path: Path):
    path = tmp_path / "secret"
    path.write_text("f" * 32 + "\n")
    path.chmod(0o600)
    target = target_of(replace(SETTINGS, notify_secret_file=str(path)))
    assert target.secret == "f" * 32
    assert "ffff" not in repr(target)
    path.chmod(0o644)
    with pytest.raises(UsageError, match=f"notify_secret_file {path}: others can read it"):
        target_of(replace(SETTINGS, notify_secret_file=str(path)))
