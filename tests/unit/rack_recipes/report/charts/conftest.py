# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from math import isfinite
from xml.etree import ElementTree as ET

import pytest

TAGS = {"a", "svg", "title", "g", "path", "rect", "text", "circle"}
PLACES = {"x", "y", "cx", "cy", "r", "rx", "width", "height"}


def checked_svg(svg):
    """The root of a picture that is well-formed, named, without a style of its own, and finite in all its places."""
    root = ET.fromstring(svg)
    assert root.find("title").text
    assert root.get("role") == ("group" if root.find("a") is not None else "img")
    for part in root.iter():
        assert part.tag in TAGS
        assert "style" not in part.attrib
        assert all(isfinite(float(part.attrib[name])) for name in PLACES & part.attrib.keys())
        assert not {"nan", "inf"} & set(part.get("d", "").replace("M", " ").replace("L", " ").split())
        assert "nan" not in part.get("d", "")
        assert "inf" not in part.get("d", "")
    return root


@pytest.fixture
def drawn():
    return checked_svg


@pytest.fixture
def texts():
    return lambda svg: [_own_text(text) for text in checked_svg(svg).iter("text")]


def _own_text(text):
    return (text.text or "") + "".join(child.tail or "" for child in text)
