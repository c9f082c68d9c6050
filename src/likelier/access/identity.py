"""Who acts."""

from __future__ import annotations

import getpass
from dataclasses import dataclass


@dataclass(frozen=True)
class Actor:
    """A person or a program that changes or reads something, and where from."""

    name: str
    address: str | None = None


def person_at_the_keyboard() -> Actor:
    """Whoever runs the command line: who can read the home folder may do everything in it."""
    try:
        return Actor(f"{getpass.getuser()} (command line)")
    except OSError:  # a container's user need not have a name
        return Actor("command line")
