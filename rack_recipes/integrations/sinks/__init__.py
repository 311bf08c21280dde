# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is told to take hosts out of service after a run: Slurm, Kubernetes, NetBox. Only those that a user names."""
