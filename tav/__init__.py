"""Stable Diffusion and Tune-A-Video from scratch, to be read, trusted and run (lesson 00).

What is offered here is imported when it is first used, so that `import tav.layers` needs PyTorch
and nothing else.
"""

from importlib import import_module

__version__ = "0.1.0"

WHERE = {"load": ".io.weights", "sheet": ".io.sheets", "edit": ".api", "tune": ".api"}
WHERE |= {"inflate": ".inflation", "trainable": ".inflation"}
WHERE |= {"read_clip": ".io.video", "write_gif": ".io.video", "write_mp4": ".io.video"}
__all__ = list(WHERE)


def __getattr__(name: str):
    """Called for a name that the package does not have yet, such as `tav.load`."""
    if name not in WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(WHERE[name], __name__), name)


def __dir__() -> list[str]:
    return [*globals(), *WHERE]
