# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The query of a panel in the SQL of each database.

What stands in `${...}` is Grafana's: it puts the chosen values there before it asks the database (`sqlstring` quotes
them for SQL, `date` is ISO 8601 in UTC, in which the times of a store are, too).
"""

from __future__ import annotations

from collections.abc import Iterable

from ansible_collections.rack.recipes.plugins.module_utils.verdicts import NOT_TRIED, PASSING, VERDICTS
from rack_recipes.integrations.monitoring.grafana.database_differences import DataSource

BAD = tuple(name for name in VERDICTS if name not in PASSING | NOT_TRIED)
CHOSEN = "r.part IS NULL AND r.test_id IN (${test:sqlstring}) AND r.started BETWEEN '${__from:date}' AND '${__to:date}'"


def panel_sql(text: str, source: DataSource) -> str:
    """A query of the table of panels in the SQL of a data source.

    Its words: `%(seconds NAME)s` is the column NAME as seconds since 1970, `%(count VERDICT)s` how many results of a
    run have a verdict; `passing`, `all` and `bad` add such numbers up; `is_bad` lists bad verdicts; `chosen` are the
    runs of the chosen tests and time range.
    """
    return text % _Words(source)


class _Words(dict[str, str]):
    """What the words of a query mean in the SQL of a data source."""

    def __init__(self, source: DataSource) -> None:
        self._source = source
        super().__init__(
            chosen=CHOSEN,
            is_bad=f"({', '.join(f"'{name}'" for name in BAD)})",
            passing=self._sum(name for name in VERDICTS if name in PASSING),
            all=self._sum(VERDICTS),
            bad=self._sum(BAD),
        )

    def __missing__(self, word: str) -> str:
        kind, _space, name = word.partition(" ")
        return {"seconds": self._source.seconds, "count": self._source.count}[kind] % name

    def _sum(self, verdicts: Iterable[str]) -> str:
        return f"({' + '.join(self._source.count % name for name in verdicts)})"
