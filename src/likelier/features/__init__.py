"""What can be known of a profile at a cut-off, as numbers with readable names."""
