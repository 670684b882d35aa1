"""To each exercise a right answer, and a wrong one that its check must not let pass."""
