"""Where rows are delivered outside: a table of a PostgreSQL database, a webhook, a file.

Each takes a stream of rows in a fixed order and the key of the delivery. Delivering again under the same key, after
whatever went wrong, leaves every row there once.
"""
