"""Who is likelier to buy or to leave, and why."""
