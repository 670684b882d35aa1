"""The lessons: markdown to read, and the code that runs it (`figures.py`) and checks exercises
(`exercises/`)."""
