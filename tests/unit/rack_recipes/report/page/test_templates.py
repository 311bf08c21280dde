# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rack_recipes.errors import UsageError
from rack_recipes.report.page import templates
from rack_recipes.report.page.templates import (
    MOST_LOGO,
    PDF_PAGE,
    SCRIPTS,
    STATIC,
    unknown_files,
)
from rack_recipes.report.writers import html, markdown
from rack_recipes.web.frame import STATIC as OF_PAGES


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


OWN_PART = """<section><h2>Ours</h2>{{ run.tester }} {{ logo }}{% set table = tables.reasons %}
<p>{{ table.rows[0][0] == (table.records() | first)[table.columns[0].name] }} {{ table.rows[0] is sequence }}</p>
</section>"""


def test_a_part_of_the_project_takes_the_place_of_ours(report, own):
    page = html.render(report, own("parts/own.html.j2", OWN_PART))
    assert "<p>True True</p>" in page
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


def test_the_page_as_a_whole_and_the_one_for_paper(report, own):
    folder = own("report.html.j2", "<title>Ours</title>{% include 'parts/footer.html.j2' %}{{ head.hosts | length }}")
    assert html.render(report, folder).startswith("<title>Ours</title><footer>")
    assert html.render(report, folder, PDF_PAGE) == html.render(report, folder)
    own("report.pdf.html.j2", "<h1>{{ run.status }}</h1>{{ tables.verdicts.rows | length }}")
    assert html.render(report, folder, PDF_PAGE).startswith("<h1>failed</h1>")
    assert html.render(report, folder).startswith("<title>Ours</title>")


def test_markdown_of_a_template_is_escaped_and_may_have_our_parts(report, own, tmp_path):
    own("report.md.j2", "**{{ run.tester }}** {{ tables.counts.rows | length }}\n{{ part('counts') }}")
    folder = tmp_path / "out"
    folder.mkdir()
    (path,) = markdown.write(report, folder, str(tmp_path))
    text = path.read_text()
    assert text.startswith("**A\\. Tester &lt;a\\.tester&#64;<!-- -->example\\.org&gt;** 9\n\n## Counts\n\n| ")
    assert markdown.write_full(report, folder, str(tmp_path))[0].read_text() == markdown.render(report, markdown.FULL)
    own("report.md.j2", "\n{{ part('cunts') }}")
    with pytest.raises(
        UsageError, match=r"report\.md\.j2, line 2: there is no part 'cunts'; there are head, summary, "
    ):
        markdown.write(report, folder, str(tmp_path))


def test_a_file_that_no_report_uses_is_told(own, tmp_path):
    for name in ("part/header.html.j2", "parts/foter.html.j2", "logo.jpg", "README.md", "site.html.j2", ".keep"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    for name, text in (("columns.yml", ""), ("style.css", ""), ("report.md.j2", ""), ("report.pdf.html.j2", "")):
        own(name, text)
    own("parts/own.html.j2", "{% include 'site.html.j2' %}")
    assert [line.removeprefix(f"report_templates: {tmp_path}/") for line in unknown_files(str(tmp_path))] == [
        "logo.jpg: no report uses a file of this name, did you mean logo.png?",
        "part/header.html.j2: no report uses a file of this name, did you mean parts/header.html.j2?",
        "parts/foter.html.j2: no report uses a file of this name, did you mean parts/footer.html.j2?",
    ]
    assert [*unknown_files("")] == []


def test_what_is_missing_is_printed_as_such(tmp_path: Path) -> None:
    for plain in (None, str):
        text = templates.make_environment([tmp_path], plain=plain).from_string("{{ run.tester }}, {{ run.hosts }}")
        assert text.render(run={"tester": None, "hosts": 0}) == "(not given), 0"


@pytest.mark.parametrize("name", ["items", "keys", "values", "get", "pop", "update", "copy"])
@pytest.mark.parametrize("given", ["tables", "context", "params"])
def test_a_key_of_the_data_wins_over_the_method_of_a_dict(tmp_path: Path, given: str, name: str) -> None:
    environment = templates.make_environment([tmp_path])
    text = f"{{{{ {given}.{name} }}}} {{{{ {given}['{name}'] }}}} {{{{ {given} | items | list | length }}}}"
    assert environment.from_string(text).render({given: {name: "ours"}}) == "ours ours 1"
    assert environment.from_string(f"{{{{ {given}.{name} is callable }}}}").render({given: {}}) == "True"


def test_a_table_named_like_a_method_is_reached_by_its_name(report, own):
    page = html.render(report, own("parts/own.html.j2", "<p>{{ tables.values.name }}: {{ tables.values.title }}</p>"))
    assert "<p>values: " in page


def test_our_own_templates_call_no_method_that_a_key_could_hide():
    call = re.compile(r"\.(items|keys|values|get|pop|update|copy|setdefault|clear|popitem)\(")
    for path in [*STATIC.rglob("*.j2"), *OF_PAGES.rglob("*.j2")]:
        assert not call.search(path.read_text(encoding="utf-8")), path.name
