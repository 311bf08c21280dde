# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings about a run: what failed together, what differs from twins and from earlier runs, and why."""
