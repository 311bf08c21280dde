# SPDX-License-Identifier: GPL-3.0-or-later

"""What a scriptlet that analyses its run may read, and the findings that it adds.

A scriptlet gets this only where it declares `reads_results` or `reads_history`.
"""

from __future__ import annotations

from ansible_collections.rack.recipes.plugins.module_utils.check_context_values import (
    check_value,
    copy_json,
    escape_unstorable,
    first_few,
    mark_if_long,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Row = dict[str, Any]

GRADES = ("problem", "notable", "note")
HISTORY_RUNS = 20  # earlier runs whose values are handed over
LONGEST_TITLE = 500  # characters
MOST_RESULTS = 10_000  # that a finding may name
FIELDS = frozenset(("title", "results", "grade", "advice", "figures", "method"))


class RunAnalysis:
    """The results of the run so far, and values of its earlier runs.

    `results` is None for a scriptlet that does not declare `reads_results`. `history` has the rows of each key that
    the scriptlet declares in `reads_history`.
    """

    def __init__(self, results: list[Row] | None, history: dict[str, list[Row]]) -> None:
        self._results = results
        self._history = history

    def results(self) -> list[Row]:
        """A copy of the results. Raises ValueError where the scriptlet does not declare to read them."""
        if self._results is None:
            raise ValueError("the results of the run are not here: add reads_results = True to the scriptlet")
        found: list[Row] = copy_json(self._results)
        return found

    def history(self, key: str, last: int = HISTORY_RUNS) -> list[Row]:
        """A copy of the rows of a key in the `last` earlier runs. Raises ValueError for a key that is not declared."""
        if key not in self._history:
            declared = first_few(sorted(self._history), 10) or "none"
            raise ValueError(f"the history of {key} is not here: add it to reads_history, which has {declared}")
        if not 0 < last <= HISTORY_RUNS:
            raise ValueError(f"the history of {key}: there are at most {HISTORY_RUNS} runs, got last={last}")
        rows = self._history[key]
        runs = [*dict.fromkeys(row["run"] for row in rows)][-last:]
        found: list[Row] = copy_json([row for row in rows if row["run"] in runs])
        return found

    def finding(self, given: object) -> Row:
        """A finding in the form in which it is recorded. Raises ValueError if it is malformed."""
        if not isinstance(given, dict) or not isinstance(given.get("title"), str) or not given["title"].strip():
            raise ValueError(f"a finding needs a title, got {mark_if_long(repr(given))}")
        title = _text(given, "title")
        if len(title) > LONGEST_TITLE:
            raise ValueError(f"a finding's title has {len(title)} characters: {LONGEST_TITLE} at most")
        if given.keys() - FIELDS:
            strange = ", ".join(sorted(map(str, given.keys() - FIELDS)))
            raise ValueError(f"finding {title!r}: it has no field {strange}, only {', '.join(sorted(FIELDS))}")
        grade = given.get("grade") or "notable"
        if grade not in GRADES:
            raise ValueError(
                f"finding {title!r}: grade must be one of {', '.join(GRADES)}, got {mark_if_long(repr(grade))}"
            )
        figures = check_value(given.get("figures") or {}, f"finding {title!r}: figures")
        if not isinstance(figures, dict):
            raise ValueError(f"finding {title!r}: figures must be values by name, got {mark_if_long(repr(figures))}")
        texts = {name: _text(given, name) for name in ("advice", "method")}
        return {"title": title, "grade": grade, "results": self._named(given, title), "figures": figures, **texts}

    def _named(self, given: Row, title: str) -> list[list[str]]:
        """The results that a finding names, each as host, step and, for one of its measurements, the name of that."""
        written = given.get("results") or []
        if not isinstance(written, (list, tuple)) or len(written) > MOST_RESULTS:
            raise ValueError(f"finding {title!r}: results must be a list of at most {MOST_RESULTS} results")
        found = [_result_id(each, title) for each in written]
        if self._results is not None:
            known = {(row["host"], row["step"]) for row in self._results}
            for host, step, *_name in found:
                if (host, step) not in known:
                    raise ValueError(f"finding {title!r}: there is no result of {step!r} on {host or 'the run'!r}")
        return found


def _text(given: Row, name: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(f"a finding's {name} must be text, got {mark_if_long(repr(value))}")
    return escape_unstorable(value)


def _result_id(written: Any, title: str) -> list[str]:
    """A result that is written as a row of `results()`, or as host, step and perhaps the name of a measurement."""
    if isinstance(written, dict):
        written = [written.get("host"), written.get("step"), *filter(None, [written.get("name")])]
    is_id = isinstance(written, (list, tuple)) and len(written) in (2, 3)
    if not is_id or not all(isinstance(part, str) for part in written):
        raise ValueError(
            f"finding {title!r}: a result is a row of ctx.results(), or [host, step], got {mark_if_long(repr(written))}"
        )
    return [escape_unstorable(part) for part in written]
