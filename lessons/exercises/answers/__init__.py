"""One right answer to each exercise, and wrong ones that its check must not let pass."""
