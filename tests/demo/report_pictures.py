# SPDX-License-Identifier: GPL-3.0-or-later

"""Make the pictures of the first screens of reports: the demo, swapped cables, a fabric, a night with eight faults.

    .venv/bin/python tests/demo/report_pictures.py [FOLDER [SCENE...]]

Every report is of real runs over SSH hosts of the script's own; that of the fabric is of a virtual rack, and needs
root. Writes SCENE-SIZE-SCHEME.webp into FOLDER (docs/images), for the scenes demo, cables, fabric and night. Ends with
1 where a planted fault is not named above the fold of a wide screen, or in a card there. Needs Chromium and playwright.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "tests" / name) for name in ("rack", "demo")]
import eight_faults
import rack_demo
import swapped_cables

CHROMIUM = "/usr/bin/chromium"
SIZES: Mapping[str, Any] = {"wide": {"width": 1440, "height": 900}, "narrow": {"width": 375, "height": 812}}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
QUALITY = 50
ABOVE_THE_FOLD = """() => {
  const places = "header, #wrong .finding, #wrong .reasons li, #since .finding, .racks text";
  const parts = [...document.querySelectorAll(places)];
  const seen = parts.filter((part) => part.getBoundingClientRect().top < innerHeight - 12);
  for (const part of seen) for (const one of part.querySelectorAll("details")) one.open = true;
  return seen.map((part) => part.innerText ?? part.textContent).join("\\n");
}"""
"""What can be read on the first screen, and in its cards when they are opened."""


class Scene(NamedTuple):
    """What makes the page of a report in a folder, and what that page must say of each planted fault."""

    write_report: Callable[[Path], Path]
    named: Mapping[str, str]


def demo_report(folder: Path) -> Path:
    """The page of the first recipe of the demo."""
    command = [str(Path(sys.executable).with_name("rack-recipes")), "demo", str(folder), "--json"]
    answer = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    files: list[str] = answer["runs"][0]["report"]
    return folder / next(path for path in files if path.endswith("report.html"))


SCENES: Mapping[str, Scene] = {
    "demo": Scene(demo_report, {}),
    "cables": Scene(swapped_cables.write_report, swapped_cables.NAMED),
    "fabric": Scene(rack_demo.write_report, rack_demo.NAMED),
    "night": Scene(eight_faults.write_report, eight_faults.NAMED),
}


def main() -> int:
    """Make the pictures and print their paths; returns 1 where a fault is not named."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "docs" / "images").absolute()
    target.mkdir(exist_ok=True)
    missing: list[str] = []
    for name in sys.argv[2:] or SCENES:
        with tempfile.TemporaryDirectory() as folder:
            page = SCENES[name].write_report(Path(folder))
            for path, said in pictures(page, target, name):
                print(path)
                wanted = SCENES[name].named if "-wide-" in path.name else {}
                missing += [f"{path.name}: {fault}" for fault, words in wanted.items() if words not in said]
    print(*(f"not named: {one}" for one in missing), sep="\n", file=sys.stderr)
    return 1 if missing else 0


def pictures(page: Path, target: Path, name: str) -> Iterator[tuple[Path, str]]:
    """Each picture, with what can be read there when its cards are opened."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM)
        for size, viewport in SIZES.items():
            for scheme in SCHEMES:
                context = browser.new_context(
                    offline=True, color_scheme=scheme, viewport=viewport, reduced_motion="reduce"
                )
                view = context.new_page()
                view.goto(page.as_uri())
                view.wait_for_selector("html[data-ready]")
                path = target / f"{name}-{size}-{scheme}.webp"
                asked = {"format": "webp", "quality": QUALITY}
                shot = context.new_cdp_session(view).send("Page.captureScreenshot", asked)
                path.write_bytes(b64decode(shot["data"]))
                yield path, view.evaluate(ABOVE_THE_FOLD)
                context.close()
        browser.close()


if __name__ == "__main__":
    raise SystemExit(main())
