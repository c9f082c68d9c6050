"""What a run learnt, in numbers, words and pictures."""
