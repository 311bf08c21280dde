# SPDX-License-Identifier: GPL-3.0-or-later

"""What a stage makes of its steps, as data: each case is a request, and what its records have to say.

A step or hook of a case is a shell script that prints the envelope `says` (by default that it is well), or the text
`script`. `verdicts` has verdict and reason of every step record, `fields` some fields of some records, `absent` fields
that they must not have, `context` the values that the deltas leave, `order` the steps in the order of their records.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("cases") / "stages"
CASES = {
    f"{path.stem}: {name}": case
    for path in sorted(FOLDER.glob("*.json"))
    for name, case in json.loads(path.read_text("utf-8")).items()
}
ALLOWED = {"steps", "given", "verdicts", "fields", "absent", "context", "order"}


def made(work, given):
    """A step of a case."""
    given = dict(given)
    envelope = json.dumps(given.pop("says", {"status": "ok"}))
    script = given.pop("script", f"cat <<'END'\n{envelope}\nEND\n")
    return work.script(script, given.pop("name"), **given)


def subset(record, fields):
    """The fields of a record that are asked for, and no others; in lists of records those of each."""
    if isinstance(fields, dict) and isinstance(record, dict):
        return {name: subset(record.get(name, "nothing"), value) for name, value in fields.items()}
    if isinstance(fields, list) and isinstance(record, list) and len(fields) == len(record):
        return [subset(*pair) for pair in zip(record, fields)]
    return record


@pytest.mark.parametrize("name", list(CASES))
def test_rule(work, name):
    case = CASES[name]
    assert set(case) <= ALLOWED
    given = case.get("given", {})
    hooks = {when: [made(work, hook) for hook in hooks] for when, hooks in given.get("hooks", {}).items()}
    ran = work.run(*(made(work, step) for step in case["steps"]), **{**given, "hooks": hooks})
    assert {step: [record["verdict"], record["reason"]] for step, record in ran.steps.items()} == case["verdicts"]
    for step, fields in case.get("fields", {}).items():
        assert subset(ran.steps[step], fields) == fields, step
    for step, names in case.get("absent", {}).items():
        assert not set(names) & set(ran.steps[step]), step
    if "context" in case:
        assert {delta["key"]: delta["after"] for delta in ran.deltas} == case["context"]
    if "order" in case:
        assert [record["step"] for record in ran.records if record["kind"] == "step"] == case["order"]
