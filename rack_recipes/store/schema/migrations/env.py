# SPDX-License-Identifier: GPL-3.0-or-later

"""Alembic's entry point: it runs the migrations on the connection that run_migrations.py passes."""

from __future__ import annotations


def run() -> None:
    """Bring the database that the connection leads to up to date."""
    from alembic import context

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, render_as_batch=True)
    with context.begin_transaction():
        context.run_migrations()


if __name__ == "env_py":  # the name that Alembic gives it; a tool that only imports the file has no database
    run()
