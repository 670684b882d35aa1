"""Contact sheets and films of the drawn world: python -m weights.make.world FOLDER."""

import random
import sys
from pathlib import Path

from .motions import clip, random_scene
from .scenes import BACKGROUNDS, STYLES, SUBJECTS, Scene, edit
from .styles import draw, sheet


def film(scenes: list[Scene], path: Path) -> None:
    """Writes the scenes as an animated picture."""
    frames = [draw(scene, 256) for scene in scenes]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=80, loop=0)


def main(folder: str) -> None:
    """Writes three contact sheets, and two films, one with a move that training never shows."""
    out, rng = Path(folder), random.Random(1)
    out.mkdir(parents=True, exist_ok=True)

    def some(**fixed) -> Scene:
        """A random scene, held out or not."""
        return random_scene(rng, allow_held_out=True, **fixed)

    sheet([[random_scene(rng) for _ in range(10)] for _ in range(8)]).save(out / "random.png")
    subjects = [[some(subject=who, style=style) for style in STYLES] for who in SUBJECTS]
    sheet(subjects).save(out / "subjects.png")
    places = [[some(background=place, style="plain") for _ in range(10)] for place in BACKGROUNDS]
    sheet(places).save(out / "backgrounds.png")

    ride = clip(Scene(background="snow"), 24)
    ride += edit(ride, subject="spider man", background="beach", style="cartoon")
    film(ride, out / "ride.gif")
    film(clip(Scene(background="sunset", color="red"), 24, move="backflip"), out / "backflip.gif")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "world")
