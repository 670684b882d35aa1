"""Files <-> frames: clips in; gifs and mp4s out (lesson 00).

A video is a float32 tensor (f, 3, h, w) in [-1, 1]; a file that fails is a `UserError`.
"""

import logging
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from fractions import Fraction
from functools import cache
from itertools import islice
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps, ImageSequence
from torch import Tensor

from ..vae import from_bytes, to_uint8
from .cli import UserError

FPS = 8.0  # of pictures that do not say; the published Tune-A-Video code writes its results at 8
# By default ffmpeg rounds coarsely, and repeats chroma: 9 dB less on a smooth picture.
EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
# By default it doubles or drops some frames to even out the frame rate.
EACH_ONCE = ("-fps_mode", "passthrough")
GET_FFMPEG = "pip install --upgrade imageio-ffmpeg brings one"

logging.getLogger("imageio_ffmpeg").setLevel(logging.ERROR)  # it warns of every rotated film


def read_clip(
    path: str | Path,
    frames: int | None = None,
    start: int = 0,
    stride: int = 1,
    size: int | tuple[int, int] | None = None,
    stretch: bool = False,
) -> tuple[Tensor, float]:
    """Frames start, start + stride, ... of a film, a gif or a folder of pictures: all, or `frames`.

    Returns them, (f, 3, h, w) in [-1, 1], and the frames per second that keep the clip's speed.
    `size` is a square's side in pixels, or (width, height): the middle of the picture, of that
    shape, is resized to it, or the whole picture with `stretch`, as the published code does.
    """
    sides = (size, size) if isinstance(size, int) else size
    with reading(path):
        fps, pictures = open_clip(Path(path))
    kept = []
    for picture in islice(islice(pictures, start, None, stride), frames):
        if sides is not None:
            resize = Image.Image.resize if stretch else ImageOps.fit
            picture = resize(picture, tuple(sides), Image.Resampling.LANCZOS)
        kept.append(np.asarray(picture))  # h w 3
    wanted = frames or 1
    if len(kept) < wanted:
        found = f"found only {len(kept)} of {wanted} frames from --start {start} at --stride"
        advice = "ask for fewer --frames or a smaller --stride, or use a longer clip"
        raise UserError(f"{path}: {found} {stride}; {advice}")
    sizes = sorted({f"{picture.shape[1]} x {picture.shape[0]}" for picture in kept})
    if len(sizes) > 1:
        what = f"pictures of different sizes ({' and '.join(sizes[:2])} pixels)"
        raise UserError(f"{path}: {what}; choose one --size for all, or resize them")
    video = torch.from_numpy(np.stack(kept)).permute(0, 3, 1, 2)  # f 3 h w, channels-last in memory
    return from_bytes(video), fps / stride


def open_clip(path: Path) -> tuple[float, Iterator[Image.Image]]:
    """A clip's frames per second, and its pictures, each decoded only in its turn."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; check the spelling")
    if path.is_dir():
        return FPS, read_pictures(pictures_in(path))
    if path.suffix.lower() == ".gif":
        with Image.open(path) as image:  # milliseconds; a 0 lasts 100, as in browsers
            shown = [frame.info.get("duration") or 100 for frame in ImageSequence.Iterator(image)]
        return 1000 * len(shown) / sum(shown), read_pictures([path])
    # Square pixels. ffmpeg ends when `film` goes.
    ffmpeg()
    options = [*EACH_ONCE, "-vf", f"scale=iw*sar:ih:{EXACT}"]
    film = imageio_ffmpeg.read_frames(str(path.absolute()), output_params=options)
    about = next(film)  # an OSError if ffmpeg finds no film in the file
    fps = about["fps"] or timed_fps(path) or FPS
    return fps, (Image.frombytes("RGB", about["size"], pixels) for pixels in film)


def timed_fps(path: Path) -> float | None:
    """Frames per second by the times of at most 600 frames, or None: browsers record films that
    state no frame rate, or their clock's ("1k fps")."""
    command = [ffmpeg(), "-v", "error", "-i", path.absolute(), "-map", "0:v:0", "-frames:v", "600"]
    listed, _, _ = quietly([*command, *EACH_ONCE, "-f", "framecrc", "-"])
    # A line each: stream, when to decode, when to show in ticks, duration, size, checksum.
    times = [int(shown) for shown in re.findall(r"^0,[^,]*, *(-?\d+),", listed, re.MULTILINE)]
    tick = re.search(r"^#tb 0: (\S+)", listed, re.MULTILINE)  # in seconds, such as 1/1000
    if not tick or not times or times[-1] <= times[0]:
        return None
    return (len(times) - 1) / float(Fraction(tick[1]) * (times[-1] - times[0]))


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers: 9.png before 10.png."""
    # Not the hidden ones: macOS may leave ._1.jpg beside 1.jpg.
    picture = re.compile(r"[^.].*\.(png|jpg|jpeg)", re.IGNORECASE)
    files = [file for file in folder.iterdir() if picture.fullmatch(file.name)]
    if not files:
        what = f"{folder}: no png or jpg in this folder"
        raise UserError(f"{what}; name a film, a gif or another folder")
    return sorted(files, key=lambda file: (len(file.stem), file.stem))


def read_pictures(files: list[Path]) -> Iterator[Image.Image]:
    """Every picture of every file (a gif has many): upright, and transparent parts in white."""
    for file in files:
        with reading(file), Image.open(file) as image:
            for picture in ImageSequence.Iterator(image):
                picture = ImageOps.exif_transpose(picture)
                if picture.mode.startswith("I"):  # 16-bit greys, which Pillow would clip at 255
                    in_bytes = (np.asarray(picture) / 257).round().astype(np.uint8)
                    picture = Image.fromarray(in_bytes)
                picture = picture.convert("RGBA")
                white = Image.new("RGBA", picture.size, "white")
                yield Image.alpha_composite(white, picture).convert("RGB")


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Within, a damaged file is the user's to mend. ffmpeg and Pillow say it in many ways."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        unknown = "it is cut short, damaged or not what its name says"
        why = getattr(error, "strerror", None) or unknown
        raise UserError(f"{path}: {why}; copy or convert it again, or use another") from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields the name of a temporary file, which becomes `path` once it is whole, or goes."""
    temporary = Path(path).with_name(f".{Path(path).name}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:  # such as a full disk
        what = f"{path}: cannot be written, {error.strerror or error}"
        raise UserError(f"{what}; make room or choose another folder")
    finally:
        with suppress(OSError):  # a read-only disk refuses even to remove nothing
            temporary.unlink()


@cache
def ffmpeg() -> str:
    """The path of ffmpeg; UserError if there is none, or one that knows not what is asked of it."""
    try:
        path = imageio_ffmpeg.get_ffmpeg_exe()
        probe = [path, "-v", "error", "-f", "lavfi", "-i", "nullsrc", "-frames:v", "1", *EACH_ONCE]
        _, said, status = quietly([*probe, "-f", "null", "-"])
    except (RuntimeError, OSError) as error:
        raise UserError(f"no ffmpeg runs on this machine ({error}); {GET_FFMPEG}") from None
    if status:
        said = said.strip().partition("\n")[0]
        raise UserError(f"{path}: an ffmpeg that is too old, or broken ({said}); {GET_FFMPEG}")
    return path


@cache
def writes_mp4() -> bool:
    """Whether ffmpeg has the encoder for it, which some Linux distributions leave out."""
    listed, _, _ = quietly([ffmpeg(), "-hide_banner", "-encoders"])
    return "libx264" in listed


def quietly(command: list, pixels: bytes = b"") -> tuple[str, str, int]:
    """What a command says to stdout and stderr, and its status; it gets no keys of the terminal."""
    done = subprocess.run(command, input=pixels, capture_output=True, check=False)
    said = [stream.decode(errors="replace") for stream in (done.stdout, done.stderr)]
    return *said, done.returncode


def run_ffmpeg(path: str | Path, frames: Tensor, fps: float, options: list[str]) -> None:
    """Frames (f, 3, h, w) through ffmpeg to a file. The same frames give the same file."""
    h, w = frames.shape[2:]
    source = f"-v error -y -f rawvideo -pix_fmt rgb24 -s {w}x{h} -r {fps} -i -".split()
    with replacing(path) as temporary:
        command = [ffmpeg(), *source, *options, temporary.absolute()]
        _, said, status = quietly(command, to_uint8(frames).tobytes())
        if status:
            why = said.strip().rpartition(": ")[2]
            raise OSError(f"ffmpeg: {why} (exit status {status})")


def write_gif(path: str | Path, frames: Tensor, fps: float) -> None:
    """Frames (f, 3, h, w) as an endless gif: 256 colours for all, and a faint ordered dither."""
    fps = min(fps, 50)  # a gif counts in hundredths of a second; browsers slow down a single one
    palette = "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=bayer:bayer_scale=5"
    run_ffmpeg(path, frames, fps, ["-vf", palette, "-loop", "0", "-f", "gif"])


def write_mp4(path: str | Path, frames: Tensor, fps: float) -> None:
    """Frames (f, 3, h, w) as h264 that plays everywhere, in the same colours, which the file says,
    and looks lossless (crf 12)."""
    if not writes_mp4():
        what = f"{path}: this ffmpeg ({ffmpeg()}) lacks libx264, which writes mp4s"
        raise UserError(f"{what}; write a gif, or another ffmpeg: {GET_FFMPEG}")
    # yuv420p halves the colours' resolution, so h and w must be even: odd ones repeat a last line.
    odd_h, odd_w = frames.shape[2] % 2, frames.shape[3] % 2
    frames = F.pad(frames, (0, odd_w, 0, odd_h), mode="replicate")  # left, right, top, bottom
    matrix = f"scale=out_color_matrix=bt709:{EXACT}"
    colours = f"{matrix},setparams=color_primaries=bt709:color_trc=bt709"
    codec = "-c:v libx264 -crf 12 -pix_fmt yuv420p -movflags +faststart -f mp4"
    run_ffmpeg(path, frames, fps, ["-vf", colours, *codec.split()])
