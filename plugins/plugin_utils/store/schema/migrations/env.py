# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How Alembic runs the migrations: on the connection that run_migrations.py hands over."""

from __future__ import annotations


def run() -> None:
    """Bring the database that the connection leads to up to date."""
    from alembic import context

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # as Alembic names it; whoever imports it to check it has no database at hand
    run()
