"""What a run learnt, for people: summaries, charts, the report."""
