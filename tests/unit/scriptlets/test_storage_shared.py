# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that meet in a shared folder."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor


def test_who_leaves_before_others_stays_met(scriptlet, tmp_path):
    """Of three hosts one has another disk there. The other two give up at different times, and both blame it alone."""
    meet = scriptlet("storage.shared").met

    def reason(me: str, wait: float) -> str:
        try:
            with meet({"folder": str(tmp_path), "me": me, "members": ["r1", "r2", "r3"], "wait": wait}):
                return ""
        except Exception as error:
            return str(error)

    with ThreadPoolExecutor() as hosts:
        reasons = [*hosts.map(reason, ("r1", "r2"), (1, 2))]
    assert [text.split(" did not")[0] for text in reasons] == ["within 1 s r3", "within 2 s r3"]
    assert not [*tmp_path.iterdir()]
