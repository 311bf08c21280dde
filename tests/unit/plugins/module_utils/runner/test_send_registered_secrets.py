# SPDX-License-Identifier: GPL-3.0-or-later

"""What a runner tells in memory alone: sealed on its way, the same for each who asks, gone with the runner."""

from __future__ import annotations

import json
import os
import shutil
import signal
from binascii import a2b_base64
from contextlib import suppress
from pathlib import Path

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.journal_record import decode
from ansible_collections.rack.recipes.plugins.module_utils.runner import main as module
from ansible_collections.rack.recipes.plugins.module_utils.runner.detached_stage import OOM_KILLS
from ansible_collections.rack.recipes.plugins.module_utils.runner.main import (
    SecretChannel,
    decrypt_entries,
    encrypt_entries,
    read_artifact_pieces,
    read_secret_entries,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.executor.real_stages import (
    OK,
    has_died,
    step,
    wait_for,
)
from ansible_collections.rack.recipes.tests.unit.plugins.module_utils.runner.runner_process import Host

KEY = bytes(range(32))
TELLS = """echo '{"status": "ok", "secrets": ["zebra-7777"], "outputs": {"a_v1": "zebra-7777"}}'"""
TOLD = [{"secret": "zebra-7777"}, {"key": "a_v1", "scope": "host", "value": "zebra-7777", "shown": "********"}]


@pytest.fixture
def host(tmp_path):
    """A host; nothing of it runs on after the test."""
    made = Host(tmp_path)
    yield made
    for path in made.base.glob("*/ended"):
        with suppress(ProcessLookupError):
            os.kill(int(path.read_text().split()[0]), signal.SIGKILL)
    made.stop()


def test_only_who_has_the_key_can_read_it():
    data = b"".join(json.dumps(entry).encode() + b"\n" for entry in TOLD) * 50
    text = encrypt_entries(KEY, data)
    assert decrypt_entries(KEY, text) == TOLD * 50
    assert "zebra" not in text
    assert encrypt_entries(KEY, data) != text
    with pytest.raises(ValueError):
        decrypt_entries(bytes(32), text)


def test_an_empty_one_is_nothing():
    assert decrypt_entries(KEY, encrypt_entries(KEY, b"")) == []


def test_it_is_found_in_the_process_that_keeps_it():
    memory = SecretChannel()
    before = read_secret_entries(os.getpid())
    memory.keep({"secret": "ü"})
    memory.keep({"secret": "b"})
    assert read_secret_entries(os.getpid())[len(before) :].splitlines() == [
        b'{"secret": "\\u00fc"}',
        b'{"secret": "b"}',
    ]
    os.close(memory._file)
    assert read_secret_entries(0) == read_secret_entries(1 << 22) == b""


def test_a_file_that_is_closed_meanwhile_hides_nothing(monkeypatch):
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: ["999999", *listed(folder)])
    memory = SecretChannel()
    memory.keep({"secret": "c"})
    assert read_secret_entries(os.getpid()).splitlines()[-1:] == [b'{"secret": "c"}']
    os.close(memory._file)


def test_who_has_nothing_to_tell_does_not_stay(tmp_path):
    SecretChannel().linger(str(tmp_path), lambda: True)


def started(host, text=TELLS, **fields):
    probe = step("script", kind="shell", file="script.sh")
    files = {"script.sh": f"#!/bin/sh\n{text}\n"}
    return host.start(probe, files=files, seal=KEY.hex(), **fields)


def polled(host):
    return host.ask({"id": "stage1", "offset": 0, "attach": 0, "seal": KEY.hex()})


def entries(answer):
    return decrypt_entries(KEY, answer.concealed) if answer.concealed else []


def test_the_same_question_gets_the_same_answer_and_no_file_of_the_host_has_it(host, tmp_path):
    answer = started(host)
    assert (answer.state, entries(answer)) == ("ended", TOLD)
    again = polled(host)
    assert (again.state, again.records, entries(again)) == ("ended", answer.records, TOLD)
    assert host.poll().concealed == ""
    assert [path for path in tmp_path.rglob("*") if path.is_file() and b"zebra" in path.read_bytes()] == []


def runner_of(host):
    (ended,) = Path(host.base).glob("*/ended")
    return ended, int(ended.read_text().split()[0])


def test_it_stays_until_its_stage_was_collected(host):
    started(host, lease=60)
    ended, pid = runner_of(host)
    assert Path(f"/proc/{pid}").exists()
    wait_for((ended.parent / OOM_KILLS).exists)  # the last file that it writes
    shutil.rmtree(ended.parent)
    assert has_died(pid)


def test_or_until_its_lease_is_up(host):
    started(host, lease=1)
    _ended, pid = runner_of(host)
    assert has_died(pid, 10)
    answer = polled(host)
    assert (answer.state, answer.concealed) == ("ended", "")


def test_a_stage_without_secrets_leaves_no_process(host):
    started(host, OK, lease=60)
    _ended, pid = runner_of(host)
    assert has_died(pid, 10)


def told(folder, *wanted):
    found = [decode(line) for line in read_artifact_pieces(str(folder), wanted).split(b"\n") if line]
    assert all(record["kind"] == "piece" for record in found)
    return [
        (record["sha256"], record["offset"], record.get("problem") or a2b_base64(record["data"])) for record in found
    ]


def test_several_files_are_in_one_answer(tmp_path):
    (tmp_path / "a").write_bytes(b"12345")
    (tmp_path / "b").write_bytes(b"\xff\x00")
    (tmp_path / "c").write_bytes(b"")
    assert told(tmp_path, ("a", 2), ("b", 0), ("c", 0)) == [("a", 2, b"345"), ("b", 0, b"\xff\x00"), ("c", 0, b"")]


def test_an_answer_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LARGEST_ANSWER", 8)
    for name in "abc":
        (tmp_path / name).write_bytes(b"12345")
    assert told(tmp_path, ("a", 0), ("b", 0), ("c", 0)) == [("a", 0, b"12345"), ("b", 0, b"123")]
    assert told(tmp_path, ("b", 3), ("c", 0)) == [("b", 3, b"45"), ("c", 0, b"12345")]


def test_a_file_that_is_not_there_has_the_reason(tmp_path):
    (tmp_path / "b").write_bytes(b"x")
    assert told(tmp_path, ("a", 0), ("b", 0)) == [("a", 0, "No such file or directory"), ("b", 0, b"x")]


def test_behind_the_end_there_is_nothing(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    assert told(tmp_path, ("a", 5)) == [("a", 5, b"")]
