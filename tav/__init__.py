"""Stable Diffusion and Tune-A-Video, written from scratch to be read, trusted and run (lesson 00)."""

from .inflate import inflate, trainable
from .sampling import edit
from .tuning import tune
from .video import read_clip, sheet, write_gif, write_mp4
from .weights import load

__version__ = "0.1.0"
__all__ = ["edit", "inflate", "load", "read_clip", "sheet", "trainable", "tune", "write_gif", "write_mp4"]
