"""Stable Diffusion and Tune-A-Video from scratch, to be read, trusted and run (lesson 00)."""

from .api import edit, tune
from .inflation import inflate, trainable
from .io.sheets import sheet
from .io.video import read_clip, write_gif, write_mp4
from .io.weights import load

__version__ = "0.1.0"
