# SPDX-License-Identifier: GPL-3.0-or-later

"""The shared state of a run: versioned keys, their changes, and what happens to writes that meet."""
