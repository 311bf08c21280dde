# SPDX-License-Identifier: GPL-3.0-or-later

"""The files beside this one are for a pytest inside of a test."""

collect_ignore_glob = ["*"]
