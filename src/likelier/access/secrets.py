"""Tokens and passwords: made, and recognised again from what is stored of them.

A token is random and long, so a plain digest hides it; a password is neither, so it is hashed with argon2.
"""

from __future__ import annotations

import functools
import hashlib
import secrets
import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from likelier.errors import UsageError

TOKEN_PREFIX = "likelier_"  # noqa: S105 - so that scanners of repositories recognise a leaked one
SHORTEST_PASSWORD = 12
LONGEST_PASSWORD = 1024
_hasher = PasswordHasher()
# Each look at a password takes 64 MB on purpose; a flood of them must not take all there is.
_turns = threading.BoundedSemaphore(4)


def new_token() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def digest(token: str) -> str:
    """What is stored of a token."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_password(password: str) -> str:
    """What is stored of a password.

    >>> hash_password("short")
    Traceback (most recent call last):
    likelier.errors.UsageError: A password has at least 12 characters.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise UsageError(f"A password has at least {SHORTEST_PASSWORD} characters.")
    if len(password) > LONGEST_PASSWORD:
        raise UsageError(f"A password has at most {LONGEST_PASSWORD} characters.")
    return _hasher.hash(password)


def is_password(password: str, stored: str | None) -> bool:
    """Whether it is the password; takes its time even where none is stored, so that names cannot be guessed.

    >>> is_password("wrong", None)
    False
    """
    with _turns:
        try:
            return _hasher.verify(stored or _nobodys(), password[:LONGEST_PASSWORD]) and stored is not None
        except (VerificationError, InvalidHashError):
            return False


@functools.cache
def _nobodys() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))
