# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes to one host and comes back: the request of a stage, the connection, the answer."""
