# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that are wrong on purpose: what of them is struck, and what is filled in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.model_server import sentences
from ansible_collections.rack.recipes.tests.unit.rack_recipes.analysis.summary.sample_run import (
    CAUSE,
    FINDINGS,
    OUTLIER,
    a_run,
    result,
)
from rack_recipes.analysis.summary.facts import facts_of
from rack_recipes.analysis.summary.model_summary import Checked, NoAnswer, check_answer

FACTS = facts_of(a_run(), FINDINGS)
STRUCK = [
    (text, reason)
    for reason, texts in yaml.safe_load(Path(__file__).with_name("struck_sentences.yml").read_text()).items()
    for text in texts
]


def checked(*written: Any) -> Checked:
    return check_answer(sentences(*written), FACTS)


def test_slots_are_filled_in_and_results_come_from_the_facts() -> None:
    found = checked(("{r0.not_passed} of {r0.results} failed because of {r1.value}: {r2.value}.", "r0", "r1", "r2"))
    (one,) = found.sentences
    assert one.text == "3 of 6 failed because of leaf1: 9214.7 MB/s."
    assert one.values == {"r0.not_passed": 3, "r0.results": 6, "r1.value": "leaf1", "r2.value": 9214.7}
    assert {*CAUSE.results, *OUTLIER.results} < {*one.results}
    assert not found.struck


@pytest.mark.parametrize(
    "text",
    [
        "The results on {r1.value} failed, so look at its uplink before all else.",
        "Most of what failed (see {r1.host_names}) has one leaf in common; the rest doesn't.".replace("one ", "a "),
        "Compare {r2.host}'s value with \u201cits twins\u201d \u2013 they had {r2.median}!",
        "'{r1.value}' explains {r1.explains} results.",
        "Is the link to blame? Perhaps.",
    ],
)
def test_a_plain_sentence_stays(text: str) -> None:
    assert len(checked((text, "r0", "r1", "r2")).sentences) == 1


@pytest.mark.parametrize(("text", "reason"), [*STRUCK, ("x" * 301, "is too long")])
def test_what_is_struck(text: str, reason: str) -> None:
    found = checked((text, "r0", "r2"))
    assert (found.sentences, dict(found.struck)) == ((), {reason: 1})


OWN_WORDS = yaml.safe_load(Path(__file__).with_name("own_words.yml").read_text())
PASSED = facts_of(a_run(result("r01-u07", "link"), result("r01-u08", "link"), status="passed"), FINDINGS)


@pytest.mark.parametrize(
    ("facts", "reason", "text"),
    [
        (facts, reason, text)
        for facts, name in ((FACTS, "struck"), (PASSED, "struck_of_a_run_that_passed"))
        for reason, texts in OWN_WORDS[name].items()
        for text in texts
    ],
)
def test_names_commands_and_verdicts_of_its_own_are_struck(facts: Any, reason: str, text: str) -> None:
    """With a full stop and without, and beside a sentence that is right."""
    for written in (text, f"{text.rstrip('.?')}.", f"It is a suggestion. {text}"):
        found = check_answer(sentences((written, "r0", "r1", "r2")), facts)
        assert (found.sentences, dict(found.struck)) == ((), {reason: 1}), written


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        (facts, text)
        for facts, name in ((FACTS, "kept"), (PASSED, "kept_of_a_run_that_passed"))
        for text in OWN_WORDS[name]
    ],
)
def test_honest_sentences_stay(facts: Any, text: str) -> None:
    found = check_answer(sentences((text, "r0", "r1", "r2")), facts)
    assert (len(found.sentences), dict(found.struck)) == (1, {})


@pytest.mark.parametrize(
    ("ids", "reason"),
    [
        ([], "cites nothing"),
        (None, "cites nothing"),
        ("r0", "cites nothing"),
        (["r7"], "cites what is not there"),
        (["r0", "R1"], "cites what is not there"),
        ([0], "cites what is not there"),
        ([["r0"]], "cites what is not there"),
        (["r0"] * 21, "cites what is not there"),
    ],
)
def test_forged_ids(ids: Any, reason: str) -> None:
    content = json.dumps({"sentences": [{"text": "It failed.", "ids": ids}, {"text": "It did.", "ids": ["r0"]}]})
    found = check_answer(content, FACTS)
    assert dict(found.struck) == {reason: 1}
    assert [one.text for one in found.sentences] == ["It did."]


@pytest.mark.parametrize("written", [3, None, [], "text", {}, {"text": 3, "ids": ["r0"]}, {"ids": ["r0"]}])
def test_what_is_no_sentence(written: Any) -> None:
    assert dict(check_answer(json.dumps({"sentences": [written]}), FACTS).struck) == {"is no text": 1}


def test_a_finding_without_results_cannot_be_the_only_one_that_is_cited() -> None:
    nothing = facts_of(a_run({"host": "", "step": "a", "verdict": "passed", "instances": 1}), [])
    assert dict(check_answer(sentences(("It failed.", "r0")), nothing).struck) == {"cites no result": 1}


def test_there_are_six_sentences_at_most() -> None:
    found = checked(*(["It failed.", "r0"] for _n in range(8)))
    assert (len(found.sentences), dict(found.struck)) == (6, {"is one too many": 2})


@pytest.mark.parametrize("fence", ["```json\n%s\n```", "```\n%s```", "\n %s \n"])
def test_an_answer_may_stand_in_a_fence(fence: str) -> None:
    assert check_answer(fence % sentences(("It failed.", "r0")), FACTS).sentences


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("The rack is good.", "its answer is not the JSON that was asked for"),
        ('Sure! {"sentences": [{"text": "x", "ids": ["r0"]}]}', "its answer is not the JSON"),
        ("", "its answer is not the JSON"),
        ('{"sentences": [', "its answer is not the JSON"),
        ("[" * 100_000, "its answer is not the JSON"),
        ("[]", "its answer has no sentences"),
        ("{}", "its answer has no sentences"),
        ('{"sentences": []}', "its answer has no sentences"),
        ('{"sentences": {"text": "x"}}', "its answer has no sentences"),
        ("1" * 10_000, "its answer is not the JSON"),
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_answer(content: str, said: str) -> None:
    with pytest.raises(NoAnswer, match=said):
        check_answer(content, FACTS)


def test_what_no_check_can_see_is_still_told_with_the_right_numbers() -> None:
    """Swapped roles and negations pass: so a sentence is a suggestion, and the raw figures stand beside it."""
    found = checked(
        ("The limit is {r2.value}, and {r2.host} has {r2.median}.", "r2"),
        ("{r1.host_names} have a common cause.", "r1"),
    )
    assert [one.text for one in found.sentences] == [
        "The limit is 9214.7 MB/s, and r02-u01 has 12000 MB/s.",
        "r01-u07, r01-u08 have a common cause.",
    ]
    assert found.sentences[0].values == {"r2.value": 9214.7, "r2.host": "r02-u01", "r2.median": 12000}
