"""Functions for the reader to write. `python -m pytest lessons/exercises -k 03` says whether those
of lesson 03 do."""
