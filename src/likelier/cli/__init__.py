"""The command line: each command calls service functions and shows what they answer."""

from likelier.cli.commands import app, main

__all__ = ["app", "main"]
