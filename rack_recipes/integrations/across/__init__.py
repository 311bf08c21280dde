# SPDX-License-Identifier: GPL-3.0-or-later

"""One run on several controllers, each reached by ansible-runner's transmit, worker and process."""
