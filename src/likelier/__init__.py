"""Who is likelier to buy or to leave, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from likelier.client import Client as Client


def __getattr__(name: str) -> Any:
    """Give the client to whoever asks for it: the rest of likelier does without an HTTP library."""
    if name == "Client":
        from likelier.client import Client  # noqa: PLC0415

        return Client
    raise AttributeError(f"likelier has no '{name}'.")
