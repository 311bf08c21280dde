# SPDX-License-Identifier: GPL-3.0-or-later

"""The command `rack-recipes`: a table of its commands, and for each the module that it imports when it runs."""
