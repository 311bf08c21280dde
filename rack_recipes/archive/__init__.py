# SPDX-License-Identifier: GPL-3.0-or-later

"""Packs of runs: export, verify, import, send; and what is kept when old runs are pruned."""
