# SPDX-License-Identifier: GPL-3.0-or-later

"""The context server: a run's context over HTTP while the run goes on."""
