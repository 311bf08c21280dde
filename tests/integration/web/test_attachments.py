# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that the steps of a real run have attached, opened in Chromium from the page of their result."""

from __future__ import annotations

from ansible_collections.rack.recipes.tests.integration.accessibility import violations
from ansible_collections.rack.recipes.tests.integration.web.test_pages import NARROW, Reader
from ansible_collections.rack.recipes.tests.integration.web.web_server import web_server
from call_rack_recipes import run_recipe, write_recipe, write_scriptlet

DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
ATTACK = "<script>document.title = 'run'; fetch('/runs?from=attack'); alert(1)</script>"
SPY = "https://192.0.2.1/spy.png"
SVG = f"""<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" onload="alert(2)">
<style>rect {{ fill: red }}</style><image href="{SPY}"/><rect width="40" height="40"/>
{ATTACK}<foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="/runs"/></foreignObject></svg>
"""
SIDECAR = "description: Keeps files\nreads: []\nwrites: []\n"
SCRIPT = f"""\
. "$RACK_SH"
printf '%s' '{DOT}' | base64 -d > dot.png
cat > plot.svg <<'END'
{SVG}END
cat > page.html <<'END'
<!doctype html><title>theirs</title>{ATTACK}
END
printf '{{"gpu": {{"rate": 97.5}}}}' > told.json
head -c 3000000 /dev/zero > core.bin
for one in dot.png plot.svg page.html told.json core.bin; do rack_attach "$one" "$one" text/html; done
rack_check files 5 "" eq=5
"""


def test_attachments_are_opened_and_nothing_in_them_runs(project, browser):
    write_scriptlet("t.keep", SCRIPT, SIDECAR)
    done = run_recipe(write_recipe([{"name": "keep", "type": "shell", "module": "t.keep"}]))
    assert done.code == 0
    with web_server(project) as server:
        one = Reader(browser, server, viewport=NARROW)
        page = one.go(f"/runs/{done.run_id}")
        page.click("nav >> text=Attachments")
        page.click("#attachments tbody td a >> text=keep >> nth=0")
        assert page.locator("section[id^=attachment-]").count() == 5
        assert (
            page.text_content("section:has(h2:text-is('told.json')) pre") == '{\n  "gpu": {\n    "rate": 97.5\n  }\n}'
        )
        assert ATTACK in page.text_content("section:has(h2:text-is('page.html')) pre")
        pictures = page.locator("img")
        assert pictures.count() == 2
        for place in range(2):
            pictures.nth(place).scroll_into_view_if_needed()
            assert pictures.nth(place).evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 0
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]

        answer = server.ask(page.get_attribute("#attachments a >> text=core.bin", "href"), "HEAD")
        assert (answer.text, answer.headers["content-length"]) == ("", "3000000")
        with page.expect_download() as saved:
            page.click("section:has(h2:text-is('core.bin')) a >> text=Download")
        assert saved.value.suggested_filename == "core.bin"
        assert saved.value.path().read_bytes() == bytes(3_000_000)
        with page.expect_download() as saved:
            page.click("#attachments a >> text=page.html")
        assert saved.value.suggested_filename == "page.html"

        refused: list[tuple[str, str]] = []
        page.on("requestfailed", lambda request: refused.append((request.url, request.failure)))
        page.click("#attachments a >> text=plot.svg")  # the picture by itself, as a document
        page.wait_for_url("**/plot.svg")
        page.wait_for_timeout(300)
        assert page.evaluate("self.origin") == "null"
        assert page.title() != "run"
        assert refused == [(SPY, "csp")]
        assert [said for said in one.noise if "Content Security Policy" not in said and "sandboxed" not in said] == [
            SPY
        ]
        page.go_back()
        page.click("text=The whole record")
        assert '"verdict": "passed"' in page.text_content("#record pre")
        one.context.close()
