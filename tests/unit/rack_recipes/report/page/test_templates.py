# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.report.page.templates import MOST_LOGO, SCRIPTS, STATIC
from rack_recipes.report.writers import html


@pytest.fixture
def own(tmp_path):
    (tmp_path / "parts").mkdir()

    def write(name, text):
        (tmp_path / name).write_text(text, encoding="utf-8")
        return str(tmp_path)

    return write


def test_every_script_is_part_of_the_page():
    assert {path.stem for path in (STATIC / "scripts").iterdir()} == set(SCRIPTS)


def test_scripts_make_no_markup_of_text():
    words = (
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
        "Function(",
        "DOMParser",
        "fetch(",
    )
    for path in (STATIC / "scripts").iterdir():
        assert not [word for word in words if word in path.read_text(encoding="utf-8")], path.name


def test_a_part_of_the_project_takes_the_place_of_ours(report, own):
    page = html.render(report, own("parts/own.html.j2", "<section><h2>Ours</h2>{{ run.tester }} {{ logo }}</section>"))
    assert "<h2>Ours</h2>A. Tester &lt;a.tester@example.org&gt;" in page
    assert 'id="wrong"' in page


def test_a_part_can_hold_what_it_replaces(report, own):
    page = html.render(report, own("parts/footer.html.j2", "<footer>ACME: {{ tables.reasons.rows | length }}</footer>"))
    assert "<footer>ACME: " in page
    assert "rack.recipes, run" not in page


def test_the_style_of_the_project_comes_last_and_is_allowed(report, own):
    page = html.render(report, own("style.css", "h1 { color: teal; } /* </style> */"))
    assert "h1 { color: teal; }" in page
    assert page.count("</style>") == 1


def test_a_logo_is_part_of_the_page(report, own):
    page = html.render(report, own("logo.svg", "<svg xmlns='http://www.w3.org/2000/svg'/>"))
    assert '<img class="logo" src="data:image/svg+xml;base64,PHN2Zy' in page


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("parts/own.html.j2", "{{ run.tester", "parts/own.html.j2, line 1"),
        ("parts/own.html.j2", "\n{{ nothing.here }}", "parts/own.html.j2, line 2: 'nothing' is undefined"),
        (
            "parts/own.html.j2",
            "{{ ''.__class__.__mro__ }}",
            "access to attribute '__class__' of 'str' object is unsafe",
        ),
        ("parts/own.html.j2", "{% include '../../../etc/passwd' %}", "etc/passwd"),
        ("logo.png", "x" * (MOST_LOGO + 1), "logo.png has 200,001 bytes, at most 200,000 will do"),
    ],
)
def test_what_is_wrong_in_it_is_said(report, own, name, text, said):
    with pytest.raises(UsageError) as error:
        html.render(report, own(name, text))
    assert said in str(error.value)


def test_a_folder_that_is_missing_is_said(report):
    with pytest.raises(UsageError, match="there is no folder nowhere"):
        html.render(report, "nowhere")
