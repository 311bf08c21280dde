# SPDX-License-Identifier: GPL-3.0-or-later

"""Sockets, limits of clients, and the end of the server."""
