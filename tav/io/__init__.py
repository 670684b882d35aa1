"""The machinery around the method: files, run folders and the command line (lessons 00, 06, 10)."""
