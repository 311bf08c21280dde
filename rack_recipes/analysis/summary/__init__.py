# SPDX-License-Identifier: GPL-3.0-or-later

"""The summary of a run: by rules, or by a language model whose answer is checked."""
