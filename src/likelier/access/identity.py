"""Who acts."""

from __future__ import annotations

import getpass
from dataclasses import dataclass

from likelier.access.roles import NotPermittedError, Permission, Role


@dataclass(frozen=True)
class Actor:
    """A person or a program that changes or reads something, what it may do, and where from."""

    name: str
    role: Role = Role.ADMIN
    address: str | None = None

    def may(self, permission: Permission) -> bool:
        return permission in self.role.permissions

    def must(self, permission: Permission) -> None:
        """Raise unless the actor may do it.

        >>> Actor("ann", Role.VIEW).must(Permission.MANAGE)
        Traceback (most recent call last):
        likelier.access.roles.NotPermittedError: This needs the permission 'manage', which the role 'view' has not.
        """
        if not self.may(permission):
            raise NotPermittedError(f"This needs the permission '{permission}', which the role '{self.role}' has not.")


SCHEDULER = Actor("scheduler")


def person_at_the_keyboard() -> Actor:
    """Whoever runs the command line: who can read the home folder may do everything in it."""
    try:
        return Actor(f"{getpass.getuser()} (command line)")
    except OSError:  # a container's user need not have a name
        return Actor("command line")
