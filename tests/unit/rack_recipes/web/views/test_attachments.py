# SPDX-License-Identifier: GPL-3.0-or-later

"""What a page shows of files that steps have attached, and how their bytes are sent."""

from __future__ import annotations

from base64 import b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.served_site import RUNS, URL, ServedSite
from ansible_collections.rack.recipes.tests.unit.rack_recipes.web.stored_pages import (
    LAST,
    night,
    store_runs,
    wrong_fields,
)
from rack_recipes.store.database_engine import connect_store
from rack_recipes.store.schema.tables import tables
from rack_recipes.web.page_model import page_address
from rack_recipes.web.views import attachments

CASES = yaml.safe_load(Path(__file__).with_name("cases_of_attachments.yml").read_text(encoding="utf-8"))
RESULT = f"/runs/{LAST}/hosts/r0/uplink"
CHANGED = attachments.CHANGED[1:]
PATH, SHAPE = "/runs/{run}/attachments", "/runs/{run}/hosts/{host}/{step}"


@pytest.fixture
def served(served: ServedSite) -> ServedSite:
    """The pages of two runs."""
    store_runs(night(is_bad=False), night())
    return served


def attach(name: str, content: bytes, **row: Any) -> str:
    """Attach a file to a result of the last run; returns its address."""
    digest = sha256(content).hexdigest()
    own = {"run_id": LAST, "host": "r0", "step": "uplink", "attempt": 1, "n": 1, "name": name, "sha256": digest}
    own |= {"size": len(content), "media_type": "text/html", "path": f"artifacts/{digest}", "time": "", **row}
    store = connect_store(URL)
    with store.begin() as connection:
        connection.execute(tables().artifacts.insert().values(own))
    store.dispose()
    folder = RUNS / own["run_id"] / "artifacts"
    folder.mkdir(exist_ok=True)
    (folder / digest).write_bytes(content)
    return page_address("runs", LAST, "attachments", digest, name)


def page_of(served: ServedSite, target: str = RESULT) -> str:
    """A page as text."""
    answer = served.ask(target, "viewer")
    assert answer.status == 200
    return answer.text.decode()


@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in CASES])
def test_a_file_is_shown_by_its_bytes_and_never_run(served, case):
    text = case.get("bytes", "").encode("utf-8" if case.get("utf8") else "latin-1")
    content = b64decode(case["base64"]) if "base64" in case else text
    address = attach(case["name"], content)
    page = page_of(served)
    assert {
        "image": f'<img src="{address}"' in page,
        "text": f'aria-label="Text: {case["name"]}"' in page,
        "file": "It is no text and no picture" in page,
    } == {kind: kind == case["shown"] for kind in ("image", "text", "file")}
    assert case.get("says", "") in page
    assert f"{len(content):,} bytes, SHA-256 {sha256(content).hexdigest()}." in page
    for is_saved, target in ((case["shown"] != "image", address), (True, f"{address}?save=yes")):
        answer = served.ask(target, "viewer")
        assert (answer.status, answer.text) == (200, content)
        assert answer.headers["content-type"] == (attachments.ANY_BYTES if is_saved else case["kind"])
        assert answer.headers["content-disposition"].startswith("attachment" if is_saved else "inline")
        assert answer.headers["content-security-policy"].startswith("sandbox; default-src 'none';")
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param(lambda file: file.write_bytes(b"gone"), CHANGED, id="other size"),
        pytest.param(lambda file: file.write_bytes(b"rate 97.6"), CHANGED, id="other bytes"),
        pytest.param(lambda file: file.unlink(), "is not in the run&#39;s folder on this server", id="no file"),
        pytest.param(
            lambda file: (file.unlink(), file.symlink_to("/etc/hostname")),
            "is not in the run&#39;s folder on this server",
            id="a link",
        ),
    ],
)
def test_a_file_that_is_not_what_the_run_has_recorded_is_not_shown(served, change, says):
    address = attach("rate.txt", b"rate 97.5")
    change(RUNS / LAST / "artifacts" / sha256(b"rate 97.5").hexdigest())
    page = page_of(served)
    assert says in page
    assert 'aria-label="Text: rate.txt"' not in page
    assert served.ask(address, "viewer").status == 404


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"path": None, "note": "with it the host would have left more"}, "with it the host would have left more"),
        ({"path": None, "note": None}, "it has not come yet"),
        ({"path": "../../../etc/passwd"}, "Its record names no file of this run"),
        ({"path": "artifacts/../journal.jsonl"}, "Its record names no file of this run"),
    ],
)
def test_a_file_that_did_not_come_is_named_with_the_reason(served, row, says):
    address = attach("rate.txt", b"rate 97.5", **row)
    assert says in page_of(served)
    assert served.ask(address, "viewer").status == 404


def test_of_a_long_text_the_beginning_is_shown(served, monkeypatch):
    monkeypatch.setattr(attachments, "TEXT_SHOWN", 11)
    attach("long.txt", "0123456789ü and more".encode())  # the letter is cut in the middle
    page = page_of(served)
    assert "These are its first 11 bytes." in page
    assert ">0123456789</pre>" in page


def test_all_files_of_a_run_are_listed_and_lead_to_their_results(served):
    assert served.data(f"/runs/{LAST}/attachments")["attachments"]["rows"] == []
    attach("rate.txt", b"rate 97.5")
    attach("rate.txt", b"rate 98.5", n=2, attempt=2)
    part = attach(
        "part.txt", b"of a part", n=3, step="throughput", path=f"../{LAST}/artifacts/{sha256(b'of a part').hexdigest()}"
    )
    data = served.data(f"/runs/{LAST}/attachments")
    assert wrong_fields(PATH, data) == []
    assert [(row["name"], row["step"], row["attempt"]) for row in data["attachments"]["rows"]] == [
        ("part.txt", "throughput", 1), ("rate.txt", "uplink", 1), ("rate.txt", "uplink", 2)
    ]  # fmt: skip
    assert f'href="{RESULT}"' in page_of(served, f"/runs/{LAST}/attachments")
    assert served.ask(part, "viewer").text == b"of a part"
    result = served.data(RESULT)
    assert wrong_fields(SHAPE, result) == []
    assert (result["attachment-1"], result["attachment-2"]) == ("rate 97.5", "rate 98.5")
    assert "rate.txt, try 2" in page_of(served)


def test_of_many_files_the_first_are_opened(served, monkeypatch):
    monkeypatch.setattr(attachments, "MOST_OPENED", 2)
    for number in range(3):
        assert "are opened below" not in page_of(served)
        attach(f"{number}.txt", f"rate {number}".encode(), n=number)
    assert "The first 2 are opened below." in page_of(served)
    assert {"attachment-1", "attachment-2", "attachment-3"} & {*served.data(RESULT)} == {"attachment-1", "attachment-2"}


def test_a_token_for_one_run_gets_no_file_of_another(served):
    address = attach("rate.txt", b"rate 97.5")
    served.grant("guest", "viewer", runs=("20991231*",))
    assert served.ask(address, "guest").status == 403


def test_the_whole_record_is_shown_when_it_is_asked_for(served):
    page = page_of(served)
    assert f'href="{RESULT}?record=yes#record"' in page
    assert "exit_code" not in page
    assert "&#34;exit_code&#34;: 1," in page_of(served, f"{RESULT}?record=yes")
    assert wrong_fields(SHAPE, served.data(f"{RESULT}?record=yes")) == []
