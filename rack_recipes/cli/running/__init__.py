# SPDX-License-Identifier: GPL-3.0-or-later

"""The command run, and those that watch and stop runs."""
