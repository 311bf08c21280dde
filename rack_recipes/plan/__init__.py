# SPDX-License-Identifier: GPL-3.0-or-later

"""From a recipe to stages: the graph of its steps, what may run together, and how a plan is shown."""
