# Copyright: (c) 2026, rack.recipes contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What Prometheus reads of the runs in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rack_recipes.integrations.monitoring.prometheus_metrics import MEDIA_TYPE, as_text, read_metrics
from rack_recipes.web.page_model import Asked, Page

if TYPE_CHECKING:
    from rack_recipes.web.page_source import PageSource


def metrics(source: PageSource, asked: Asked) -> Page:
    """The metrics of the store, read at this moment."""
    return Page("Metrics", kind=MEDIA_TYPE, body=as_text(read_metrics(source.store())).encode())
