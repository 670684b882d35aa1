"""The lessons: markdown to read, and the code that runs it (`blocks.py`) and checks exercises
(`exercises/`)."""
