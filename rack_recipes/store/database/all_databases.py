# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of databases that a store can be in. A new kind is a file beside this one, and its name here."""

from __future__ import annotations

from rack_recipes.store.database import mysql, postgresql, sqlite
from rack_recipes.store.database.database_kind import DatabaseKind

DATABASES: dict[str, DatabaseKind] = {kind.name: kind for kind in (sqlite.KIND, mysql.KIND, postgresql.KIND)}
BY_DRIVER: dict[str, DatabaseKind] = {kind.driver: kind for kind in DATABASES.values()}
# The name of a driver for SQLAlchemy, by each name that a URL may begin with.
SCHEMES: dict[str, str] = {
    scheme: f"{kind.name}+{kind.driver}"
    for kind in DATABASES.values()
    for scheme in (kind.name, *kind.aliases)
    if not kind.is_in_python
}
