# SPDX-License-Identifier: GPL-3.0-or-later

"""What Grafana puts into a query before it asks the database, as its documentation says.

https://grafana.com/docs/grafana/latest/dashboards/variables/variable-syntax/: `sqlstring` puts single quotes around
each value, with commas between, and doubles those inside. `date` without a format is ISO 8601 in UTC, in milliseconds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

WORD = re.compile(r"\$\{(\w+)(?::(\w+))?\}")


def expanded(sql: str, chosen: Mapping[str, Sequence[str]], start: datetime, end: datetime) -> str:
    """The query that the database is asked. Raises KeyError for a word that this file does not know."""

    def value(found: re.Match[str]) -> str:
        name, form = found.groups()
        if form == "date":
            time = {"__from": start, "__to": end}[name].astimezone(UTC)
            return time.strftime("%Y-%m-%dT%H:%M:%S.") + f"{time.microsecond // 1000:03}Z"
        return {"sqlstring": ",".join(f"'{one.replace("'", "''")}'" for one in chosen[name])}[form]

    assert "$" not in WORD.sub("", sql).replace("'$.", ""), sql  # $. begins the paths of JSON
    return WORD.sub(value, sql)
