"""The standard events of XDM: what makes an event a purchase, a visit, a search. Features need no asking for these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import ibis


@dataclass(frozen=True)
class StandardEvent:
    """An event is one of these when its path exists or, if `counted`, when the number there is above zero."""

    name: str
    path: str
    counted: bool

    def holds(self, events: ibis.Table) -> Any:
        value = events[self.path]
        return (value > 0).fill_null(False) if self.counted else value.notnull()


def _counted(group: str, names: str) -> list[StandardEvent]:
    return [StandardEvent(name, f"{group}.{name}.value", counted=True) for name in names.split()]


STANDARD_EVENTS: tuple[StandardEvent, ...] = (
    StandardEvent("order", "commerce.order.purchaseID", counted=False),
    *_counted(
        "commerce",
        "productListViews checkouts purchases productListRemovals productListOpens productListAdds productViews "
        "saveForLaters",
    ),
    StandardEvent("webVisit", "web.webPageDetails.name", counted=False),
    StandardEvent("webInteraction", "web.webInteraction.linkClicks.value", counted=True),
    *_counted("application", "applicationCloses crashes featureUsages firstLaunches installs launches upgrades"),
    StandardEvent("search", "search.keywords", counted=False),
)
