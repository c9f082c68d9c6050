"""What people define and what was done: SQLAlchemy Core on SQLite or PostgreSQL, one implementation for both."""
