"""XDM paths, their types, and the standard paths whose type is known before any value is seen."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import pyarrow as pa

MOMENT_TYPE = pa.timestamp("us", "UTC")


class FieldType(StrEnum):
    """What a field's values are."""

    TEXT = "text"
    NUMBER = "number"
    FLAG = "flag"
    MOMENT = "moment"


ARROW: dict[FieldType, pa.DataType] = {
    FieldType.TEXT: pa.string(),
    FieldType.NUMBER: pa.float64(),
    FieldType.FLAG: pa.bool_(),
    FieldType.MOMENT: MOMENT_TYPE,
}


@dataclass(frozen=True)
class Field:
    """An XDM leaf path and the type of its values; `array` when an event may hold several."""

    path: str
    type: FieldType
    array: bool = False

    @property
    def arrow(self) -> pa.DataType:
        return pa.list_(ARROW[self.type]) if self.array else ARROW[self.type]


IDENTITY = "identityMap."
OTHERS = ".others"
END_USER = "endUserIDs."
END_USER_NAMESPACES = {"aaid": "AAID", "mcid": "ECID"}

_COUNTED = {
    "commerce": "productListViews checkouts purchases productListRemovals productListOpens productListAdds "
    "productViews saveForLaters",
    "application": "applicationCloses crashes featureUsages firstLaunches installs launches upgrades",
    "web.webInteraction": "linkClicks",
    "web.webPageDetails": "pageViews",
}
_NUMBERS = {f"{group}.{name}.value" for group, names in _COUNTED.items() for name in names.split()} | {
    "commerce.order.priceTotal",
    "commerce.order.payments.paymentAmount",
    "productListItems.quantity",
    "productListItems.priceTotal",
}
_TEXTS = {
    "eventType",
    "application.name",
    "commerce.order.purchaseID",
    "commerce.order.currencyCode",
    "productListItems.SKU",
    "productListItems.name",
    "productListItems.currencyCode",
    "search.keywords",
    "marketing.campaignName",
    "marketing.campaignGroup",
    "marketing.trackingCode",
    "channel._id",
    "channel._type",
    "channel.mediaType",
    "channel.mediaAction",
    "web.webPageDetails.name",
    "web.webPageDetails.URL",
    "web.webPageDetails.siteSection",
    "web.webReferrer.URL",
    "placeContext.geo.countryCode",
    "placeContext.geo.postalCode",
}
_ARRAYS = ("productListItems.", "commerce.order.payments.")


def standard_type(path: str) -> FieldType | None:
    """Give the type of a standard XDM path, None for any other.

    >>> standard_type("commerce.purchases.value")
    <FieldType.NUMBER: 'number'>
    >>> standard_type("_shop.colour")
    """
    if path == "timestamp":
        return FieldType.MOMENT
    if path in _NUMBERS:
        return FieldType.NUMBER
    return FieldType.TEXT if path in _TEXTS else None


def can_name(key: str) -> bool:
    """Say whether a key can be part of a path; names that begin with a dot are ours while rows are on their way.

    >>> [can_name(key) for key in ("SKU", "", ".line")]
    [True, False, False]
    """
    return bool(key) and not key.startswith(".") and key.isprintable()


def always_array(path: str) -> bool:
    """Say whether an XDM path lies in an array, so that even a flat file's single value becomes a list."""
    return path.startswith(_ARRAYS)


def fields_of(schema: pa.Schema) -> dict[str, Field]:
    """Read the fields back from a table's schema: all but `_id` and the identities."""
    named = ((field.name, field.type) for field in schema)
    return {name: _field(name, kind) for name, kind in named if name != "_id" and not name.startswith(IDENTITY)}


def namespaces_of(schema: pa.Schema) -> tuple[str, ...]:
    found = (name.removeprefix(IDENTITY) for name in schema.names if name.startswith(IDENTITY))
    return tuple(sorted(name for name in found if not name.endswith(OTHERS)))


def _field(path: str, kind: pa.DataType) -> Field:
    array = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    inner = kind.value_type if array else kind
    if pa.types.is_timestamp(inner):
        return Field(path, FieldType.MOMENT, array)
    if pa.types.is_boolean(inner):
        return Field(path, FieldType.FLAG, array)
    return Field(path, FieldType.NUMBER if pa.types.is_floating(inner) else FieldType.TEXT, array)
