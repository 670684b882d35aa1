"""Stable Diffusion and Tune-A-Video from scratch, to be read, trusted and run (lesson 00)."""

from .inflation import inflate, trainable
from .io.api import edit, tune
from .io.video import read_clip, sheet, write_gif, write_mp4
from .io.weights import load

__version__ = "0.1.0"
