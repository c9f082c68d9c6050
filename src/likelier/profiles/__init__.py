"""What is known of a person, and rules over it: segments."""
