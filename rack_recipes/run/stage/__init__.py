# SPDX-License-Identifier: GPL-3.0-or-later

"""The request of a stage to a host, and the host's answer."""
