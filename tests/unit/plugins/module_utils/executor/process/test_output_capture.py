# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import mark_if_long
from ansible_collections.rack.recipes.plugins.module_utils.executor.process.attempt import (
    HEAD,
    TAIL,
    Lines,
    OutputCapture,
)
from ansible_collections.rack.recipes.plugins.module_utils.mask import Mask


def captured(*pieces, **limits):
    capture = OutputCapture(**limits)
    for piece in pieces:
        capture.add(piece)
    return capture


def test_nothing():
    assert (captured().ending(), captured().text(100), captured().size) == (b"", "", 0)


@pytest.mark.parametrize("size", range(1, 60))
def test_the_end_is_kept_whatever_the_pieces(size):
    data = bytes(range(60))
    capture = captured(*(data[at : at + size] for at in range(0, 60, size)), head=10, tail=20)
    assert capture.size == 60
    assert capture.ending() == data[-20:]


def test_what_fits_is_kept_whole():
    assert captured(b"0123456789", b"abc", head=5, tail=8).ending() == b"0123456789abc"
    assert captured(b"0123456789", b"abcd", head=5, tail=8).ending() == b"6789abcd"


def test_memory_is_bounded():
    capture = OutputCapture()
    for _piece in range(400):
        capture.add(b"x" * 65536)
    assert len(capture._tail) <= 2 * TAIL + 65536
    assert len(capture._head) == HEAD


def test_text_of_a_long_output_is_its_head_and_tail():
    capture = captured(b"a" * 50, b"b" * 50, head=16, tail=64)
    assert capture.text(20) == "a" * 10 + "\n[... 80 bytes left out ...]\n" + "b" * 10


def test_text_of_any_bytes():
    assert captured(b"a\xff\xfe\0\xc3\xa4\xe2\x82").text(100) == "a\\xff\\xfe\\x00ä\\xe2\\x82"
    assert captured(b"\x9f\x98 b").text(100) == "\\x9f\\x98 b"


@pytest.mark.parametrize("shift", range(4))
def test_a_cut_leaves_no_half_of_a_character(shift):
    text = captured(b"x" * shift + "😀".encode() * 100).text(80)
    head, _note, tail = text.split("\n")
    assert head == "x" * shift + "😀" * len(head.replace("x", ""))
    assert tail == "😀" * len(tail)
    assert "\\x" not in text


def test_a_cut_in_bytes_that_are_no_text():
    text = captured(b"\x80" * 100).text(20)
    assert text.count("\\x80") == 20


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_lines_are_put_together(size):
    data = b"one\n\ntwo two\nthree"
    lines = []
    collector = Lines(lines.append, 100)
    for at in range(0, len(data), size):
        collector.add(data[at : at + size])
    assert lines == [b"one", b"", b"two two"]


def test_a_line_that_is_too_long_is_refused():
    lines = []
    collector = Lines(lines.append, 10)
    collector.add(b"0123456789")
    with pytest.raises(ValueError) as caught:
        collector.add(b"a")
    assert str(caught.value) == "a line of more than 10 bytes"
    assert not lines


SECRET = "hunter2-hunter3"


def masked(*pieces, limit=100, **limits):
    return captured(*pieces, **limits).text(limit, Mask([SECRET]))


def test_secrets_are_taken_out_before_anything_is_cut_off():
    assert masked(b"a" * 40, SECRET.encode(), b"b" * 40) == "a" * 40 + "********" + "b" * 40
    text = masked(b"a" * 45, SECRET.encode(), b"b" * 500, SECRET.encode(), b"c" * 45)
    assert text == "a" * 45 + "*****\n[... 520 bytes left out ...]\n*****" + "c" * 45


def test_what_is_short_without_its_secrets_is_shown_whole():
    assert masked(f"{SECRET} ".encode() * 11) == "******** " * 11


@pytest.mark.parametrize("size", [16, 20, 60, 500])
def test_half_a_secret_where_output_was_not_kept_is_not_shown(size):
    pieces = [SECRET.encode()] * 10_000
    for shift in range(len(SECRET)):
        head, _note, tail = masked(b"." * shift, *pieces, head=size, tail=1000).split("\n")
        assert set(head + tail) <= {".", "*"}
        end = captured(b"." * shift, *pieces, head=size, tail=1000).end(400, Mask([SECRET]))
        assert end == "********"


def test_a_message_that_was_printed_is_cut_too():
    text = captured(f"ValueError: got {mark_if_long('x' * 1000)}\n".encode()).text(10_000)
    assert text == f"ValueError: got {'x' * 200}...\n"


def test_the_end_of_an_output():
    assert captured(b"a" * 50, b"end \n\n").end(6) == "aaaend"
    mask = Mask([SECRET])
    assert captured(b"a" * 50, SECRET.encode(), b" end \n").end(13, mask) == "a******** end"
    assert captured(b"x" * 30_000, SECRET.encode(), b" end\n").end(12, mask) == "******** end"
