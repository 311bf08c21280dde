# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests and answers: one table of routes."""
