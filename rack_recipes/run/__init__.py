# SPDX-License-Identifier: GPL-3.0-or-later

"""A run in progress. Each folder is what one process does; the files are what several of them share."""
