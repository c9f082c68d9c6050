"""Why: contributions that add up to each prediction, grouped into factors with names."""
