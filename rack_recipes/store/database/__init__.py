# SPDX-License-Identifier: GPL-3.0-or-later

"""What differs between SQLite, MySQL and PostgreSQL."""
