# SPDX-License-Identifier: GPL-3.0-or-later

"""The log of a run: its records, how they are appended, read, checked and compressed."""
