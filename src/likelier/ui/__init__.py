"""Web pages over the service functions: they draw and ask, and decide nothing."""

from likelier.ui.mount import mount
from likelier.ui.site import Site, Visitor

__all__ = ["Site", "Visitor", "mount"]
