"""Alembic migrations; they are part of the package and run when a store is opened."""
