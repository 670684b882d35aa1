"""Files <-> frames: clips in; gifs, mp4s and labelled comparisons out (lesson 00).

Shapes: f frames, h w height and width in pixels. A video is a tensor (f, 3, h, w) of float32 in [-1, 1],
as the VAE reads and writes it. Whatever is wrong with a user's file or numbers is a `UserError`.
"""

import logging
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, ImageSequence
from torch import Tensor

from .errors import UserError

PICTURES = (".png", ".jpg", ".jpeg")
FPS = 8.0  # of pictures that do not say; the published Tune-A-Video code writes its results at 8
# By default ffmpeg rounds coarsely and repeats chroma instead of interpolating: 9 dB on a smooth picture.
EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
LANCZOS = Image.Resampling.LANCZOS

logging.getLogger("imageio_ffmpeg").setLevel(logging.ERROR)  # it warns of every rotated film


# ---- reading


def read_clip(
    path: str | Path,
    frames: int | None = None,  # how many; None: to the end, and at least 2
    start: int = 0,
    stride: int = 1,
    size: int | None = None,  # cut out the middle square and resize it to size x size pixels
    stretch: bool = False,  # squeeze the whole picture into the square instead, as the published code does
) -> tuple[Tensor, float]:
    """Frames start, start + stride, ... of a film, a gif or a folder of pictures: (f, 3, h, w) in [-1, 1].

    Also returns the frames per second that keep the clip's speed: its own divided by `stride`. A film is
    read only as far as it is needed.
    """
    limits = [("frames", frames, 1), ("start", start, 0), ("stride", stride, 1), ("size", size, 1)]
    for name, value, least in limits:
        if value is not None and value < least:
            raise UserError(f"--{name} is {value}; it must be {least} or more")
    with reading(path):
        fps, pictures = open_clip(Path(path))
    kept, total = [], 0
    with closing(pictures):
        for total, picture in enumerate(pictures, 1):
            if total > start and (total - 1 - start) % stride == 0:
                kept.append(fit(picture, path, size, stretch))
            if len(kept) == frames:
                break
    if len(kept) < (frames or 2):
        raise too_few(path, total, frames, start, stride)
    if len({pixels.shape for pixels in kept}) > 1:
        raise UserError(f"{path}: its pictures differ in size; give a --size to make them alike")
    video = torch.from_numpy(np.stack(kept)).permute(0, 3, 1, 2)  # f 3 h w, channels-last in memory
    return video.float() / 127.5 - 1, fps / stride


def open_clip(path: Path) -> tuple[float, Iterator[Image.Image]]:
    """A clip's frames per second, and its pictures in turn, each decoded only when its pixels are used."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; check the spelling")
    if path.is_dir():
        # macOS leaves a hidden `._1.jpg` beside a `1.jpg`, and it is no picture
        files = [p for p in path.iterdir() if p.suffix.lower() in PICTURES and not p.name.startswith(".")]
        if not files:
            raise UserError(f"{path}: no png or jpg in this folder; name a film, a gif or another folder")
        return FPS, read_pictures(sorted(files, key=natural))
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty; copy or download it again")
    if path.suffix.lower() in PICTURES:
        return FPS, read_pictures([path])
    if path.suffix.lower() == ".gif":
        with Image.open(path) as image:  # milliseconds; a 0 lasts 100, as in browsers
            shown = [frame.info.get("duration") or 100 for frame in ImageSequence.Iterator(image)]
        return 1000 * len(shown) / sum(shown), read_pictures([path])
    return read_film(path)


def natural(path: Path) -> str:
    """A sort key that fills numbers up with zeros, so that 9.png comes before 10.png."""
    return re.sub(r"\d+", lambda number: number[0].zfill(20), path.name)


def read_pictures(files: list[Path]) -> Iterator[Image.Image]:
    """Every picture of every file (a gif has many)."""
    for file in files:
        with reading(file), Image.open(file) as image:
            yield from ImageSequence.Iterator(image)


def read_film(path: Path) -> tuple[float, Iterator[Image.Image]]:
    """`open_clip` for a film, through ffmpeg, which turns a rotated film upright by itself.

    Pixels that are not square are made so. Each stored frame comes once: none is doubled or dropped to
    even out an uneven frame rate.
    """
    options = ["-fps_mode", "passthrough", "-vf", f"scale=iw*sar:ih:{EXACT}"]
    reader = imageio_ffmpeg.read_frames(str(path.absolute()), output_params=options)
    about = next(reader)  # an OSError if ffmpeg finds no film in the file

    def pictures() -> Iterator[Image.Image]:
        with closing(reader):  # ends ffmpeg, wherever we stop
            for pixels in reader:
                yield Image.frombytes("RGB", about["size"], pixels)

    return about["fps"] or FPS, pictures()


def fit(picture: Image.Image, path: str | Path, size: int | None, stretch: bool) -> np.ndarray:
    """A picture as bytes (h, w, 3): upright, on white where it is transparent, cut or squeezed to `size`."""
    with reading(getattr(picture, "filename", path)):
        picture = ImageOps.exif_transpose(picture)
        if picture.has_transparency_data:
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
        picture = picture.convert("RGB")
    if size is not None:
        if not stretch:
            side = min(picture.size)
            left, top = (picture.width - side) // 2, (picture.height - side) // 2
            picture = picture.crop((left, top, left + side, top + side))
        picture = picture.resize((size, size), LANCZOS)
    return np.asarray(picture)


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Within, a damaged file is the user's to mend. ffmpeg and Pillow have many ways to say that it is."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        why = getattr(error, "strerror", None) or "it is cut short, damaged or not what its name says"
        raise UserError(f"{path}: {why}; copy or convert it again, or use another") from error


def too_few(path: str | Path, total: int, frames: int | None, start: int, stride: int) -> UserError:
    """The error of a clip of `total` frames that is too short for what was asked, with what would do."""
    if total < min(2, frames or 2):
        return UserError(f"{path}: a clip needs at least 2 frames and this has {total}; use a longer one")
    steps = (frames or 2) - 1
    reached = len(range(start, total, stride))
    widest = (total - 1 - start) // max(steps, 1)  # the stride that just reaches the last frame
    latest = total - 1 - steps * stride  # the start, likewise
    ways = {
        f"--frames {reached}": reached > 1,
        f"--stride {widest}": widest > 0,
        f"--start {latest}": latest >= 0,
    }
    advice = " or ".join(way for way, works in ways.items() if works)
    advice = advice or f"--frames {min(total, steps + 1)} --start 0 --stride 1"
    asked = f"--frames {steps + 1} --start {start} --stride {stride}"
    need = start + steps * stride + 1
    return UserError(f"{path}: has {total} frames, but {asked} needs {need}; try {advice}")


# ---- writing


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields the name of a temporary file that becomes `path` at the end: all of it, or nothing is left."""
    temporary = Path(path).with_name(f".{Path(path).name}.{os.getpid()}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:  # such as a full disk
        why = error.strerror or error
        raise UserError(f"{path}: cannot be written, {why}; make room or choose another folder") from error
    finally:
        with suppress(OSError):  # a read-only disk refuses even to remove nothing
            temporary.unlink()


def encode(path: str | Path, frames: np.ndarray, fps: float, options: list[str]) -> None:
    """Bytes (f, h, w, 3) through ffmpeg to a file. The same bytes give the same file."""
    _, h, w, _ = frames.shape
    source = f"-v error -y -f rawvideo -pix_fmt rgb24 -s {w}x{h} -r {fps} -i -".split()
    with replacing(path) as temporary:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *source, *options, temporary.absolute()]
        done = subprocess.run(command, input=frames.tobytes(), capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
            raise OSError(f"ffmpeg: {said.rpartition(': ')[2]}")


def write_gif(path: str | Path, frames: Tensor, fps: float) -> None:
    """Frames (f, 3, h, w) as an endless gif: one palette of 256 colours for all, and a faint ordered dither.

    A gif counts in hundredths of a second: at 8 fps, frames last 12 and 13 of them in turn. Browsers slow
    down what lasts less than two, hence 50 fps at most.
    """
    palette = "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=bayer:bayer_scale=5"
    encode(path, to_uint8(frames), min(fps, 50), ["-vf", palette, "-loop", "0", "-f", "gif"])


def write_mp4(path: str | Path, frames: Tensor, fps: float) -> None:
    """Frames (f, 3, h, w) as h264 that plays everywhere and looks lossless (crf 12).

    Its chroma has half the resolution (yuv420p), so h and w must be even: an odd one repeats its last line.
    """
    frames = F.pad(frames, (0, frames.shape[3] % 2, 0, frames.shape[2] % 2), mode="replicate")
    scale = f"scale=out_color_matrix=bt709:{EXACT}"
    named = "setparams=color_primaries=bt709:color_trc=bt709"  # else players have to guess
    codec = "-c:v libx264 -crf 12 -pix_fmt yuv420p -movflags +faststart -f mp4"
    encode(path, to_uint8(frames), fps, ["-vf", f"{scale},{named}", *codec.split()])


def to_uint8(frames: Tensor) -> np.ndarray:
    """Frames (f, 3, h, w) in [-1, 1] as bytes (f, h, w, 3), rounded; what lies beyond is clamped."""
    pixels = (frames.float().clamp(-1, 1) + 1) * 127.5
    return pixels.round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()


def to_pil(frame: Tensor) -> Image.Image:
    """One frame (3, h, w) in [-1, 1] as a picture."""
    return Image.fromarray(to_uint8(frame[None])[0])
