"""Roles, and what each permits."""

from __future__ import annotations

from enum import StrEnum

from likelier.errors import LikelierError


class Permission(StrEnum):
    """What a person or a token may do; every operation needs exactly one."""

    READ = "read"
    MANAGE = "manage"
    AUDIT = "audit"
    ADMIN = "admin"


class Role(StrEnum):
    """`view` looks; `manage` also changes; `audit` reads the log and nothing else; `admin` does everything."""

    VIEW = "view"
    MANAGE = "manage"
    AUDIT = "audit"
    ADMIN = "admin"

    @property
    def permissions(self) -> frozenset[Permission]:
        """What the role permits.

        >>> sorted(Role.MANAGE.permissions)
        [<Permission.MANAGE: 'manage'>, <Permission.READ: 'read'>]
        """
        return PERMITS[self]


PERMITS = {
    Role.VIEW: frozenset({Permission.READ}),
    Role.MANAGE: frozenset({Permission.READ, Permission.MANAGE}),
    Role.AUDIT: frozenset({Permission.AUDIT}),
    Role.ADMIN: frozenset(Permission),
}


class NotPermittedError(LikelierError):
    """Who acts may not do this."""
