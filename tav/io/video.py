"""Files <-> frames: clips in; gifs, mp4s and labelled comparisons out (lesson 00).

A video is a float32 tensor (f, 3, h, w) in [-1, 1]: f frames of h x w pixels. A file that fails is
a `UserError`.
"""

import logging
import os
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps, ImageSequence
from torch import Tensor

from ..vae import to_uint8
from .cli import UserError

FPS = 8.0  # of pictures that do not say; the published Tune-A-Video code writes its results at 8
# By default ffmpeg rounds coarsely and repeats chroma instead of interpolating: 9 dB on a smooth
# picture.
EXACT = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"

logging.getLogger("imageio_ffmpeg").setLevel(logging.ERROR)  # it warns of every rotated film


def read_clip(
    path: str | Path,
    frames: int | None = None,
    start: int = 0,
    stride: int = 1,
    size: int | None = None,
    stretch=False,
) -> tuple[Tensor, float]:
    """Frames start, start + stride, ... (all, or `frames` of them) of a film, a gif or a folder of
    pictures.

    Returns them, (f, 3, h, w) in [-1, 1], and the frames per second that keep the clip's speed.
    With `size`, the middle square is resized to that many pixels a side, or the whole picture with
    `stretch`, as the published code does.
    """
    with reading(path):
        fps, pictures = open_clip(Path(path))
    kept = []
    for picture in islice(islice(pictures, start, None, stride), frames):
        if size is not None:
            resize = Image.Image.resize if stretch else ImageOps.fit
            picture = resize(picture, (size, size), Image.Resampling.LANCZOS)
        kept.append(np.asarray(picture))  # h w 3
    if len(kept) < (frames or 1):
        found = f"found only {len(kept)} of {frames or 1} frames"
        found += f" from --start {start} at --stride {stride}"
        raise UserError(
            f"{path}: {found}; ask for fewer --frames or a smaller --stride, or use a longer clip"
        )
    shapes = [picture.shape for picture in kept]
    if odd := [shape for shape in shapes if shape != shapes[0]]:
        sizes = [f"{w} x {h}" for h, w, _ in (shapes[0], odd[0])]
        what = f"pictures of different sizes ({' and '.join(sizes)} pixels)"
        raise UserError(f"{path}: {what}; choose one --size for all, or resize them")
    video = torch.from_numpy(np.stack(kept)).permute(0, 3, 1, 2)  # f 3 h w, channels-last in memory
    return video.float() / 127.5 - 1, fps / stride


def open_clip(path: Path) -> tuple[float, Iterator[Image.Image]]:
    """A clip's frames per second, and its pictures, each decoded only in its turn."""
    if not path.exists():
        raise UserError(f"{path}: no such file or folder; check the spelling")
    if path.is_dir():  # where macOS may hide ._1.jpg
        files = [
            p
            for p in path.iterdir()
            if p.suffix.lower() in (".png", ".jpg", ".jpeg") and p.name[0] != "."
        ]
        if not files:
            raise UserError(
                f"{path}: no png or jpg in this folder; name a film, a gif or another folder"
            )
        return FPS, read_pictures(
            sorted(files, key=lambda p: (len(p.stem), p.stem))
        )  # 9.png before 10.png
    if path.suffix.lower() == ".gif":
        with Image.open(path) as image:  # milliseconds; a 0 lasts 100, as in browsers
            shown = [frame.info.get("duration") or 100 for frame in ImageSequence.Iterator(image)]
        return 1000 * len(shown) / sum(shown), read_pictures([path])
    # Square pixels; each stored frame once: by default ffmpeg doubles or drops some to even out the
    # frame rate.
    options = ["-fps_mode", "passthrough", "-vf", f"scale=iw*sar:ih:{EXACT}"]
    film = imageio_ffmpeg.read_frames(
        str(path.absolute()), output_params=options
    )  # ffmpeg ends when `film` goes
    about = next(film)  # an OSError if ffmpeg finds no film in the file
    return about["fps"] or FPS, (Image.frombytes("RGB", about["size"], pixels) for pixels in film)


def read_pictures(files: list[Path]) -> Iterator[Image.Image]:
    """Every picture of every file (a gif has many): upright, transparency on white."""
    for file in files:
        with reading(file), Image.open(file) as image:
            for picture in ImageSequence.Iterator(image):
                picture = ImageOps.exif_transpose(picture).convert("RGBA")
                yield Image.alpha_composite(
                    Image.new("RGBA", picture.size, "white"), picture
                ).convert("RGB")


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Within, a damaged file is the user's to mend. ffmpeg and Pillow have many ways to say that it
    is."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        why = (
            getattr(error, "strerror", None) or "it is cut short, damaged or not what its name says"
        )
        raise UserError(f"{path}: {why}; copy or convert it again, or use another") from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields the name of a temporary file that becomes `path` at the end: all of it, or nothing is
    left."""
    temporary = Path(path).with_name(f".{Path(path).name}.part")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:  # such as a full disk
        raise UserError(
            f"{path}: cannot be written, {error.strerror or error}; "
            "make room or choose another folder"
        )
    finally:
        with suppress(OSError):  # a read-only disk refuses even to remove nothing
            temporary.unlink()


def encode(path: str | Path, frames: Tensor, fps: float, options: list[str]) -> None:
    """Frames (f, 3, h, w) through ffmpeg to a file. The same frames give the same file."""
    h, w = frames.shape[2:]
    source = f"-v error -y -f rawvideo -pix_fmt rgb24 -s {w}x{h} -r {fps} -i -".split()
    with replacing(path) as temporary:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *source, *options, temporary.absolute()]
        done = subprocess.run(
            command, input=to_uint8(frames).tobytes(), capture_output=True, check=False
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition(": ")[2]
            raise OSError(f"ffmpeg: {said} (exit status {done.returncode})")


def write_gif(path: str | Path, frames: Tensor, fps: float) -> None:
    """Frames (f, 3, h, w) as an endless gif: one palette of 256 colours for all, and a faint
    ordered dither."""
    fps = min(
        fps, 50
    )  # a gif counts in hundredths of a second, and browsers slow down what lasts only one
    palette = "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=bayer:bayer_scale=5"
    encode(path, frames, fps, ["-vf", palette, "-loop", "0", "-f", "gif"])


def write_mp4(path: str | Path, frames: Tensor, fps: float) -> None:
    """Frames (f, 3, h, w) as h264 that plays everywhere, names its colours, and looks lossless (crf
    12)."""
    # yuv420p halves the resolution of colours, so h and w must be even: an odd one repeats its last
    # line.
    frames = torch.nn.functional.pad(
        frames, (0, frames.shape[3] % 2, 0, frames.shape[2] % 2), mode="replicate"
    )
    colours = (
        f"scale=out_color_matrix=bt709:{EXACT},setparams=color_primaries=bt709:color_trc=bt709"
    )
    codec = "-c:v libx264 -crf 12 -pix_fmt yuv420p -movflags +faststart -f mp4"
    encode(path, frames, fps, ["-vf", colours, *codec.split()])


def sheet(rows: list[tuple[str, Tensor]], columns: int = 8, cell: int = 160) -> Image.Image:
    """A page of videos (label, (f, 3, h, w)): under each label a row of frames, evenly spread from
    first to last."""
    moments = torch.linspace(0, len(rows[0][1]) - 1, min(columns, len(rows[0][1]))).round().long()
    return Image.fromarray(
        np.vstack([titled(text, to_uint8(video[moments]), cell) for text, video in rows])
    )


def side_by_side(rows: list[tuple[str, Tensor]], height: int = 256) -> Tensor:
    """Videos (label, (f, 3, h, w)) playing beside each other under their labels, `height` pixels
    high: (f, 3, H, W)."""
    moments = [[(text, video[[t]]) for text, video in rows] for t in range(len(rows[0][1]))]
    pages = [
        np.hstack([titled(text, to_uint8(frame), height) for text, frame in row]) for row in moments
    ]
    return torch.from_numpy(np.stack(pages)).permute(0, 3, 1, 2).float() / 127.5 - 1


def titled(text: str, frames: np.ndarray, height: int) -> np.ndarray:
    """Frames (f, h, w, 3) of bytes in a row, resized to a height, under a label of at most two
    lines."""
    size = (round(height * frames.shape[2] / frames.shape[1]), height)
    cells = [
        ImageOps.expand(Image.fromarray(p).resize(size, Image.Resampling.LANCZOS), 2, "white")
        for p in frames
    ]
    page = ImageOps.expand(
        Image.fromarray(np.hstack(cells)), (6, 54, 6, 6), "white"
    )  # left, top, right, bottom
    label = "\n".join(
        textwrap.wrap(text, page.width // 10, max_lines=2, placeholder="…")
    )  # 10: most are narrower
    ImageDraw.Draw(page).text(
        (8, 52), label, "black", ImageFont.load_default(17), anchor="ld"
    )  # its lower left
    return np.asarray(page)
