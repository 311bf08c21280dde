# SPDX-License-Identifier: GPL-3.0-or-later

"""What monitoring is told: notices of ended runs, Prometheus metrics, Grafana dashboards."""
