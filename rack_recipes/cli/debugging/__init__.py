# SPDX-License-Identifier: GPL-3.0-or-later

"""The command debug: one scriptlet alone, here or on a host."""
