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
import torch.nn.functional as F
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
    stretch: bool = False,
) -> tuple[Tensor, float]:
    """Frames start, start + stride, ... of a film, a gif or a folder of pictures.

    All of them, or `frames` of them. Returns them, (f, 3, h, w) in [-1, 1], and the frames per
    second that keep the clip's speed. With `size`, the middle square is resized to that many pixels
    a side, or the whole picture with `stretch`, as the published code does.
    """
    with reading(path):
        fps, pictures = open_clip(Path(path))
    kept = []
    for picture in islice(islice(pictures, start, None, stride), frames):
        if size is not None:
            resize = Image.Image.resize if stretch else ImageOps.fit
            picture = resize(picture, (size, size), Image.Resampling.LANCZOS)
        kept.append(np.asarray(picture))  # h w 3
    wanted = frames or 1
    if len(kept) < wanted:
        found = f"found only {len(kept)} of {wanted} frames from --start {start} at --stride"
        advice = "ask for fewer --frames or a smaller --stride, or use a longer clip"
        raise UserError(f"{path}: {found} {stride}; {advice}")
    first = kept[0].shape
    for picture in kept:
        if picture.shape != first:
            sizes = f"{first[1]} x {first[0]} and {picture.shape[1]} x {picture.shape[0]} pixels"
            what = f"pictures of different sizes ({sizes})"
            raise UserError(f"{path}: {what}; choose one --size for all, or resize them")
    video = torch.from_numpy(np.stack(kept)).permute(0, 3, 1, 2)  # f 3 h w, channels-last in memory
    return video.float() / 127.5 - 1, fps / stride


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
    # Square pixels; each stored frame once: by default ffmpeg doubles or drops some to even out the
    # frame rate. ffmpeg ends when `film` goes.
    options = ["-fps_mode", "passthrough", "-vf", f"scale=iw*sar:ih:{EXACT}"]
    film = imageio_ffmpeg.read_frames(str(path.absolute()), output_params=options)
    about = next(film)  # an OSError if ffmpeg finds no film in the file
    return about["fps"] or FPS, (Image.frombytes("RGB", about["size"], pixels) for pixels in film)


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder in the order of their numbers: 9.png before 10.png."""
    files = []
    for file in folder.iterdir():
        hidden = file.name.startswith(".")  # macOS may leave ._1.jpg beside 1.jpg
        if file.suffix.lower() in (".png", ".jpg", ".jpeg") and not hidden:
            files.append(file)
    if not files:
        what = f"{folder}: no png or jpg in this folder"
        raise UserError(f"{what}; name a film, a gif or another folder")
    return sorted(files, key=lambda file: (len(file.stem), file.stem))


def read_pictures(files: list[Path]) -> Iterator[Image.Image]:
    """Every picture of every file (a gif has many): upright, and transparent parts in white."""
    for file in files:
        with reading(file), Image.open(file) as image:
            for picture in ImageSequence.Iterator(image):
                picture = ImageOps.exif_transpose(picture).convert("RGBA")
                white = Image.new("RGBA", picture.size, "white")
                yield Image.alpha_composite(white, picture).convert("RGB")


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Within, a damaged file is the user's to mend.

    ffmpeg and Pillow have many ways to say that it is damaged.
    """
    try:
        yield
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        unknown = "it is cut short, damaged or not what its name says"
        why = getattr(error, "strerror", None) or unknown
        raise UserError(f"{path}: {why}; copy or convert it again, or use another") from error


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yields the name of a temporary file that becomes `path` at the end, whole.

    If anything goes wrong, nothing is left of it.
    """
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


def run_ffmpeg(path: str | Path, frames: Tensor, fps: float, options: list[str]) -> None:
    """Frames (f, 3, h, w) through ffmpeg to a file. The same frames give the same file."""
    h, w = frames.shape[2:]
    source = f"-v error -y -f rawvideo -pix_fmt rgb24 -s {w}x{h} -r {fps} -i -".split()
    pixels = to_uint8(frames).tobytes()
    with replacing(path) as temporary:
        command = [imageio_ffmpeg.get_ffmpeg_exe(), *source, *options, temporary.absolute()]
        done = subprocess.run(command, input=pixels, capture_output=True, check=False)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().rpartition(": ")[2]
            raise OSError(f"ffmpeg: {said} (exit status {done.returncode})")


def write_gif(path: str | Path, frames: Tensor, fps: float) -> None:
    """Frames (f, 3, h, w) as an endless gif: 256 colours for all, and a faint ordered dither."""
    # A gif counts in hundredths of a second, and browsers slow down what lasts only one.
    fps = min(fps, 50)
    palette = "split[a][b];[a]palettegen[p];[b][p]paletteuse=dither=bayer:bayer_scale=5"
    run_ffmpeg(path, frames, fps, ["-vf", palette, "-loop", "0", "-f", "gif"])


def write_mp4(path: str | Path, frames: Tensor, fps: float) -> None:
    """Frames (f, 3, h, w) as h264 that plays everywhere and looks lossless (crf 12).

    The file says what its colours mean, so that every player shows the same ones.
    """
    # yuv420p halves the resolution of colours, so h and w must be even: an odd one repeats its last
    # line.
    odd_h, odd_w = frames.shape[2] % 2, frames.shape[3] % 2
    frames = F.pad(frames, (0, odd_w, 0, odd_h), mode="replicate")  # left, right, top, bottom
    matrix = f"scale=out_color_matrix=bt709:{EXACT}"
    colours = f"{matrix},setparams=color_primaries=bt709:color_trc=bt709"
    codec = "-c:v libx264 -crf 12 -pix_fmt yuv420p -movflags +faststart -f mp4"
    run_ffmpeg(path, frames, fps, ["-vf", colours, *codec.split()])


def sheet(rows: list[tuple[str, Tensor]], columns: int = 8, cell: int = 160) -> Image.Image:
    """A page of videos (label, (f, 3, h, w)): under each label a row of its frames.

    They are evenly spread from the first to the last.
    """
    frames = len(rows[0][1])
    moments = torch.linspace(0, frames - 1, min(columns, frames)).round().long()
    strips = [titled(label, to_uint8(video[moments]), cell) for label, video in rows]
    return Image.fromarray(np.vstack(strips))


def side_by_side(rows: list[tuple[str, Tensor]], height: int = 256) -> Tensor:
    """Videos (label, (f, 3, h, w)) playing beside each other under their labels: (f, 3, H, W).

    Each is `height` pixels high.
    """
    pages = []
    for i in range(len(rows[0][1])):
        cells = [titled(label, to_uint8(video[[i]]), height) for label, video in rows]
        pages.append(np.hstack(cells))
    return torch.from_numpy(np.stack(pages)).permute(0, 3, 1, 2).float() / 127.5 - 1


def titled(label: str, frames: np.ndarray, height: int) -> np.ndarray:
    """Frames (f, h, w, 3) of bytes in a row, resized to a height, under at most two lines."""
    size = (round(height * frames.shape[2] / frames.shape[1]), height)
    cells = []
    for frame in frames:
        picture = Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS)
        cells.append(ImageOps.expand(picture, 2, "white"))
    margins = (6, 54, 6, 6)  # left, top, right, bottom
    page = ImageOps.expand(Image.fromarray(np.hstack(cells)), margins, "white")
    letters = page.width // 10  # in a line; most letters are narrower than 10 pixels
    lines = textwrap.wrap(label, letters, max_lines=2, placeholder="…")
    font = ImageFont.load_default(17)
    lower_left = {"xy": (8, 52), "anchor": "ld"}
    ImageDraw.Draw(page).text(text="\n".join(lines), fill="black", font=font, **lower_left)
    return np.asarray(page)
