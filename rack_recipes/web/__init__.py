# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages for browsers over the store and over runs in progress."""
