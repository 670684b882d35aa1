"""Files and frames: what is written comes back, what is asked for is what is read, mistakes are named."""

import io
import os
import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from tav import compare, video
from tav.compare import sheet, side_by_side
from tav.errors import UserError
from tav.video import read_clip, replacing, to_pil, to_uint8, write_gif, write_mp4


def waves(f: int = 12, h: int = 96, w: int = 128) -> torch.Tensor:
    """A smooth pattern in colour that moves to the left: (f, 3, h, w)."""
    t, y, x = torch.meshgrid(torch.arange(f) / f, torch.arange(h) / h, torch.arange(w) / w, indexing="ij")
    return torch.stack([0.9 * torch.sin(2 * torch.pi * (x + y / 2 + t + k / 3)) for k in range(3)], dim=1)


def noise(f: int, h: int = 48, w: int = 64) -> torch.Tensor:
    return torch.rand(f, 3, h, w, generator=torch.Generator().manual_seed(0)) * 2 - 1


def counted(f: int, h: int = 32, w: int = 32) -> torch.Tensor:
    """Frames of one grey each that tells their number, through any codec: see `numbers`."""
    return (torch.arange(f) / 16 - 0.9).view(f, 1, 1, 1).expand(f, 3, h, w)


def numbers(frames: torch.Tensor) -> list[int]:
    return [round((frame.mean().item() + 0.9) * 16) for frame in frames]


def psnr(a: torch.Tensor, b: torch.Tensor) -> float:
    return (10 * torch.log10(4 / (a - b).square().mean())).item()  # a peak of 2, from -1 to 1


def ffmpeg(*arguments) -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *arguments]
    subprocess.run([str(a) for a in command], check=True, stdin=subprocess.DEVNULL)


def write_folder(path, frames, fps=None) -> None:
    path.mkdir()
    for i, frame in enumerate(frames):
        to_pil(frame).save(path / f"{i}.png")


WRITERS = {"clip.mp4": write_mp4, "clip.gif": write_gif, "clip": write_folder}


# ---- pixels


def test_every_byte_survives_and_what_lies_beyond_is_clamped():
    ramp = torch.arange(256).view(1, 1, 16, 16).expand(1, 3, 16, 16) / 127.5 - 1
    assert (to_uint8(ramp)[0, :, :, 2].ravel() == np.arange(256)).all()
    values = torch.tensor([-9.0, -1.0, -0.997, 0.0, 0.99, 9.0]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    assert to_uint8(values)[0, 0, :, 0].tolist() == [0, 0, 0, 128, 254, 255]  # 0.3825 and 253.7: rounded
    coarse = torch.linspace(-1, 1, 300).view(1, 3, 10, 10).bfloat16().requires_grad_()
    assert (to_uint8(coarse) == to_uint8(coarse.detach().float())).all()


def test_a_png_folder_comes_back_to_the_bit_as_channels_last_float(tmp_path):
    frames = torch.from_numpy(to_uint8(noise(3))).permute(0, 3, 1, 2) / 127.5 - 1
    write_folder(tmp_path / "clip", frames)
    got, fps = read_clip(tmp_path / "clip")
    assert torch.equal(got, frames)
    assert got.dtype == torch.float32 and got.is_contiguous(memory_format=torch.channels_last)
    assert fps == 8


# ---- round trips


@pytest.mark.parametrize(
    "name, least",  # measured with ffmpeg 9: mp4 47.7 dB (38.1 without EXACT), gif 50.1 dB
    [("clip.mp4", 46.0), ("clip.gif", 48.5)],
)
def test_a_smooth_video_comes_back(tmp_path, name, least):
    frames = waves()
    WRITERS[name](tmp_path / name, frames, 8)
    got, fps = read_clip(tmp_path / name)
    assert got.shape == frames.shape
    assert psnr(got, frames) > least
    assert fps == pytest.approx(8, abs=0.06)  # a gif may last a hundredth of a second more or less


@pytest.mark.parametrize("fps", [7.5, 24, 29.97])
@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_the_frame_rate_comes_back_and_stride_divides_it(tmp_path, name, fps):
    WRITERS[name](tmp_path / name, counted(16), fps)
    close = 0.005 if name == "clip.mp4" else 0.02  # 16 frames' time is rounded to hundredths of a second
    assert read_clip(tmp_path / name)[1] == pytest.approx(fps, rel=close)
    assert read_clip(tmp_path / name, stride=3)[1] == pytest.approx(fps / 3, rel=close)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_a_still_keeps_its_frames(tmp_path, name):
    """Pillow's own gif writer would merge frames that are alike."""
    still = waves(1).expand(6, -1, -1, -1)
    WRITERS[name](tmp_path / name, still, 8)
    got, fps = read_clip(tmp_path / name)
    assert got.shape == still.shape and fps == pytest.approx(8, abs=0.11)
    assert psnr(got, still) > 46


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_the_same_frames_make_the_same_file_and_leave_no_other(tmp_path, name):
    (tmp_path / f".{name}.{os.getpid()}.part").write_text("left by a process that was killed")
    WRITERS[name](tmp_path / name, waves(4), 8)
    first = (tmp_path / name).read_bytes()
    WRITERS[name](tmp_path / name, waves(4), 8)
    assert (tmp_path / name).read_bytes() == first
    assert [p.name for p in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("h, w", [(33, 48), (32, 47), (33, 47)])
def test_an_odd_mp4_repeats_its_last_line(tmp_path, h, w):
    frames = waves(3, h, w)
    write_mp4(tmp_path / "clip.mp4", frames, 8)
    even = torch.cat([frames, frames[:, :, -1:]], dim=2) if h % 2 else frames
    even = torch.cat([even, even[..., -1:]], dim=3) if w % 2 else even
    got, _ = read_clip(tmp_path / "clip.mp4")
    assert got.shape == even.shape == (3, 3, h + h % 2, w + w % 2)
    assert psnr(got, even) > 40  # measured 41.4 and more; padded with grey, less than 29


def test_an_mp4_says_what_its_colours_mean_and_can_be_streamed(tmp_path):
    write_mp4(tmp_path / "clip.mp4", waves(3), 8)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-i", str(tmp_path / "clip.mp4")]
    about = subprocess.run(command, capture_output=True, text=True, check=False).stderr
    assert re.search(r"h264 .*yuv420p\(tv, bt709[,)]", about)
    data = (tmp_path / "clip.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


# ---- gif


def test_a_gif_has_one_palette_loops_and_keeps_time(tmp_path):
    write_gif(tmp_path / "clip.gif", noise(6), 8)
    with Image.open(tmp_path / "clip.gif") as image:
        assert image.info["loop"] == 0  # for ever
        lasting, pictures = [], []
        for frame in ImageSequence.Iterator(image):
            lasting.append(frame.info["duration"])
            pictures.append(np.asarray(frame.convert("RGB")).reshape(-1, 3))
    assert set(lasting) == {120, 130} and abs(sum(lasting) - 6 * 125) <= 10  # milliseconds
    assert 200 < len(np.unique(np.concatenate(pictures), axis=0)) <= 256


def test_a_gif_lasts_at_least_two_hundredths_a_frame(tmp_path):
    write_gif(tmp_path / "clip.gif", counted(4), 120)
    assert read_clip(tmp_path / "clip.gif")[1] == 50


def test_a_gif_is_read_as_it_is_shown(tmp_path):
    """Blue corners drawn over red: the first is taken back (disposal 3) before the second comes."""
    red, first, last = Image.new("RGBA", (8, 8), "red"), Image.new("RGBA", (8, 8)), Image.new("RGBA", (8, 8))
    first.paste((0, 0, 255, 255), (0, 0, 4, 4))
    last.paste((0, 0, 255, 255), (4, 4, 8, 8))
    red.save(tmp_path / "a.gif", save_all=True, append_images=[first, last], disposal=[1, 3, 1], duration=50)
    got, fps = read_clip(tmp_path / "a.gif")
    corners = [[to_pil(frame).getpixel(at) for at in [(1, 1), (6, 6), (1, 6)]] for frame in got]
    r, b = (255, 0, 0), (0, 0, 255)
    assert corners == [[r, r, r], [b, r, r], [r, b, r]]
    assert fps == 20
    first.save(tmp_path / "b.gif")
    assert to_pil(read_clip(tmp_path / "b.gif", frames=1)[0][0]).getpixel((6, 6)) == (255, 255, 255)


def test_a_gif_without_times_plays_at_ten(tmp_path):
    a, b = (Image.new("L", (8, 8), grey) for grey in (0, 255))
    a.save(tmp_path / "a.gif", save_all=True, append_images=[b])
    assert read_clip(tmp_path / "a.gif")[1] == 10


# ---- which frames


@pytest.mark.parametrize(
    "options, expected",
    [
        ({}, range(12)),
        ({"frames": 3}, [0, 1, 2]),
        ({"frames": 1}, [0]),
        ({"frames": 1, "start": 11, "stride": 99}, [11]),
        ({"start": 9}, [9, 10, 11]),
        ({"stride": 5}, [0, 5, 10]),
        ({"frames": 2, "start": 1, "stride": 4}, [1, 5]),
        ({"frames": 4, "start": 2, "stride": 3}, [2, 5, 8, 11]),
    ],
)
def test_frames_start_and_stride(tmp_path, options, expected):
    for name, write in WRITERS.items():
        write(tmp_path / name, counted(12), 8)
        assert numbers(read_clip(tmp_path / name, **options)[0]) == list(expected), name


def test_a_film_is_read_no_further_than_needed(monkeypatch, tmp_path):
    taken = []

    def endless():
        for i in range(1000):
            taken.append(i)
            yield Image.new("RGB", (4, 4))

    monkeypatch.setattr(video, "open_clip", lambda path: (8.0, endless()))
    assert len(read_clip(tmp_path / "film.mp4", frames=3, start=4, stride=5)[0]) == 3
    assert taken[-1] == 14


def test_ffmpeg_is_ended_and_an_unknown_frame_rate_is_8(monkeypatch, tmp_path):
    def film():
        yield {"fps": 0, "size": (4, 4)}
        while True:
            yield bytes(4 * 4 * 3)

    reader = film()  # held here, so that only an explicit close ends it
    monkeypatch.setattr(imageio_ffmpeg, "read_frames", lambda *args, **options: reader)
    (tmp_path / "a.mp4").write_text("something")
    assert read_clip(tmp_path / "a.mp4", frames=2)[1] == 8
    assert next(reader, "ended") == "ended"


def test_pictures_come_in_the_order_of_their_numbers_upright_and_without_hidden_files(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for i, name in enumerate(["img2.png", "img9.JPG", "img10.png", "img10b.jpeg"]):
        to_pil(counted(12, 16, 16)[i]).save(folder / name)
    (folder / "._img2.png").write_bytes(b"left by macOS")
    (folder / "notes.txt").write_text("not a picture")
    assert numbers(read_clip(folder)[0]) == [0, 1, 2, 3]

    lying = Image.new("RGB", (20, 10), "white")
    lying.paste("black", (0, 0, 10, 10))  # on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # show turned by 90 degrees clockwise
    lying.save(tmp_path / "phone.jpg", exif=exif)
    got, _ = read_clip(tmp_path / "phone.jpg", frames=1)
    assert got.shape == (1, 3, 20, 10)
    assert got[0, 0, 2, 5] < -0.9 and got[0, 0, 17, 5] > 0.9  # and so on top


def test_a_transparent_png_lies_on_white(tmp_path):
    Image.new("RGBA", (4, 4), (255, 0, 0, 0)).save(tmp_path / "a.png")
    assert (read_clip(tmp_path / "a.png", frames=1)[0] == 1).all()


def test_a_rotated_film_is_upright_and_wide_pixels_are_made_square(tmp_path, capfd, caplog):
    write_mp4(tmp_path / "a.mp4", counted(3, 32, 64), 8)
    ffmpeg("-display_rotation", "90", "-i", tmp_path / "a.mp4", "-c", "copy", tmp_path / "turned.mp4")
    ffmpeg("-i", tmp_path / "a.mp4", "-vf", "setsar=2", tmp_path / "wide.mp4")
    assert read_clip(tmp_path / "turned.mp4")[0].shape == (3, 3, 64, 32)
    assert read_clip(tmp_path / "wide.mp4")[0].shape == (3, 3, 32, 128)
    assert capfd.readouterr() == ("", "")
    assert not caplog.records  # imageio warns of both


def test_an_uneven_frame_rate_doubles_and_drops_nothing(tmp_path):
    write_mp4(tmp_path / "a.mp4", counted(8), 8)
    slower = ["-vf", "setpts=PTS*(1+3*gt(N\\,3))", "-fps_mode", "vfr"]  # from frame 4 on
    ffmpeg("-i", tmp_path / "a.mp4", *slower, tmp_path / "b.mkv")
    assert numbers(read_clip(tmp_path / "b.mkv")[0]) == list(range(8))


@pytest.mark.parametrize("suffix", ["webm", "mov", "avi", "mkv"])
def test_other_films(tmp_path, suffix):
    write_mp4(tmp_path / "a.mp4", counted(4), 8)
    ffmpeg("-i", tmp_path / "a.mp4", tmp_path / f"b.{suffix}")
    got, fps = read_clip(tmp_path / f"b.{suffix}")
    assert numbers(got) == [0, 1, 2, 3] and fps == pytest.approx(8)


@pytest.mark.parametrize("name", ["file:a %d [b] 'c'.mp4", "-i.mp4"])
def test_an_awkward_name(monkeypatch, tmp_path, name):
    monkeypatch.chdir(tmp_path)
    write_mp4(name, counted(2), 8)
    assert numbers(read_clip(name)[0]) == [0, 1]


# ---- size


@pytest.mark.parametrize("turn", [False, True])
@pytest.mark.parametrize("size", [20, 40, 10])
def test_crop_takes_the_middle_and_stretch_takes_all(tmp_path, size, turn):
    picture = Image.new("RGB", (60, 20), "red")
    picture.paste("green", (20, 0, 40, 20))
    picture.paste("blue", (40, 0, 60, 20))
    if turn:
        picture = picture.transpose(Image.Transpose.TRANSPOSE)
    picture.save(tmp_path / "a.png")

    crop, _ = read_clip(tmp_path / "a.png", frames=1, size=size)
    assert crop.shape == (1, 3, size, size)
    assert (to_uint8(crop) == [0, 128, 0]).all()  # none of red or blue leaks in

    whole, _ = read_clip(tmp_path / "a.png", frames=1, size=size, stretch=True)
    squeezed = picture.resize((size, size), Image.Resampling.LANCZOS)
    assert np.array_equal(to_uint8(whole)[0], np.asarray(squeezed))
    ends = [to_pil(whole[0]).getpixel(at) for at in [(0, 0), (size - 1, size - 1)]]
    assert ends == [(255, 0, 0), (0, 0, 255)]


def test_a_square_of_the_right_size_is_left_alone(tmp_path):
    to_pil(noise(1, 24, 24)[0]).save(tmp_path / "a.png")
    as_is, _ = read_clip(tmp_path / "a.png", frames=1)
    for stretch in (False, True):
        assert torch.equal(read_clip(tmp_path / "a.png", frames=1, size=24, stretch=stretch)[0], as_is)


# ---- mistakes


def make_text(path):
    (path / "a.mp4").write_text("this is no film\n" * 50)


def make_cut(path):
    """An mp4 without the table of contents at its end."""
    write_mp4(path / "whole.mp4", noise(8), 8)
    ffmpeg("-i", path / "whole.mp4", "-c", "copy", "-movflags", "-faststart", path / "slow.mp4")
    data = (path / "slow.mp4").read_bytes()
    (path / "a.mp4").write_bytes(data[: len(data) // 2])


def make_half(path):
    """An mp4 with its table of contents and half of its frames."""
    write_mp4(path / "whole.mp4", noise(8), 8)
    data = (path / "whole.mp4").read_bytes()
    (path / "a.mp4").write_bytes(data[: int(0.6 * len(data))])


def make_head(path):
    """An mp4 with its table of contents and no frame."""
    write_mp4(path / "whole.mp4", noise(8), 8)
    data = (path / "whole.mp4").read_bytes()
    (path / "a.mp4").write_bytes(data[: data.index(b"mdat") + 20])


def make_sound(path):
    ffmpeg("-f", "lavfi", "-i", "sine=duration=0.2", path / "a.mp4")


def make_broken_picture(path):
    write_folder(path / "a", noise(3))
    data = (path / "a" / "1.png").read_bytes()
    (path / "a" / "1.png").write_bytes(data[: len(data) // 2])


def make_no_picture(path):
    write_folder(path / "a", noise(3))
    (path / "a" / "1.png").write_text("no picture")


def make_mixed(path):
    write_folder(path / "a", noise(2))
    Image.new("RGB", (9, 9)).save(path / "a" / "9.png")


def make_broken_gif(path):
    write_gif(path / "a.gif", noise(4), 8)
    data = (path / "a.gif").read_bytes()
    (path / "a.gif").write_bytes(data[: len(data) // 2])


def make_folder(path):
    (path / "a").mkdir()
    (path / "a" / "notes.txt").write_text("no picture")


def make_ten(path):
    write_gif(path / "a.gif", counted(10, 8, 8), 8)


def make_png(path):
    Image.new("RGB", (8, 8)).save(path / "a.png")


def make_single_gif(path):
    Image.new("RGB", (8, 8)).save(path / "a.gif")


def make_single_film(path):
    write_mp4(path / "a.mp4", counted(1), 8)


UNREADABLE = "it is cut short, damaged or not what its name says; copy or convert it again, or use another"
TEN = "has 10 frames, but"
TWO = "a clip needs at least 2 frames and this has 1; use a longer one"
MISTAKES = [
    (None, "a.mp4", {}, "no such file or folder; check the spelling"),
    (make_folder, "a", {}, "no png or jpg in this folder; name a film, a gif or another folder"),
    (lambda path: (path / "a.mp4").touch(), "a.mp4", {}, "the file is empty; copy or download it again"),
    (lambda path: (path / "a.gif").touch(), "a.gif", {}, "the file is empty; copy or download it again"),
    (make_text, "a.mp4", {}, UNREADABLE),
    (make_cut, "a.mp4", {}, UNREADABLE),
    (make_head, "a.mp4", {}, UNREADABLE),
    (make_sound, "a.mp4", {}, UNREADABLE),
    (make_broken_gif, "a.gif", {}, UNREADABLE),
    (make_broken_picture, "a", {}, f"1.png: {UNREADABLE}"),
    (make_no_picture, "a", {}, f"1.png: {UNREADABLE}"),
    (make_mixed, "a", {}, "its pictures differ in size; give a --size to make them alike"),
    (make_png, "a.png", {}, TWO),
    (make_png, "a.png", {"frames": 24}, TWO),
    (make_single_gif, "a.gif", {}, TWO),
    (make_single_film, "a.mp4", {}, TWO),
    (
        make_ten,
        "a.gif",
        {"frames": 24},
        f"{TEN} --frames 24 --start 0 --stride 1 needs 24; try --frames 10",
    ),
    (
        make_ten,
        "a.gif",
        {"frames": 4, "start": 3, "stride": 3},
        f"{TEN} --frames 4 --start 3 --stride 3 needs 13; try --frames 3 or --stride 2 or --start 0",
    ),
    (
        make_ten,
        "a.gif",
        {"frames": 24, "start": 40},
        f"{TEN} --frames 24 --start 40 --stride 1 needs 64; try --frames 10 --start 0 --stride 1",
    ),
    (
        make_ten,
        "a.gif",
        {"start": 40},
        f"{TEN} --frames 2 --start 40 --stride 1 needs 42; try --start 8",
    ),
    (
        make_ten,
        "a.gif",
        {"stride": 50},
        f"{TEN} --frames 2 --start 0 --stride 50 needs 51; try --stride 9",
    ),
    (
        make_ten,
        "a.gif",
        {"frames": 1, "start": 10},
        f"{TEN} --frames 1 --start 10 --stride 1 needs 11; try --start 9",
    ),
]


@pytest.mark.parametrize("make, name, options, words", MISTAKES)
def test_a_mistake_is_named(tmp_path, capfd, caplog, make, name, options, words):
    if make:
        make(tmp_path)
    with pytest.raises(UserError) as raised:
        read_clip(tmp_path / name, **options)
    assert str(raised.value).startswith(str(tmp_path / name))
    assert str(raised.value).endswith(f": {words}") or str(raised.value).endswith(f"/{words}")
    assert capfd.readouterr() == ("", "") and not caplog.records  # no chatter of ffmpeg's


def test_a_folder_that_may_not_be_read(monkeypatch, tmp_path):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(UserError, match="Permission denied; copy or convert it again, or use another$"):
        read_clip(tmp_path)


def test_a_film_that_is_cut_short_gives_what_it_has_and_says_how_much(tmp_path):
    make_half(tmp_path)
    got, _ = read_clip(tmp_path / "a.mp4")
    assert 2 <= len(got) < 8
    assert torch.equal(got[:2], read_clip(tmp_path / "whole.mp4", frames=2)[0])
    words = f"has {len(got)} frames, but --frames 8 --start 0 --stride 1 needs 8; try --frames {len(got)}"
    with pytest.raises(UserError, match=words):
        read_clip(tmp_path / "a.mp4", frames=8)


@pytest.mark.parametrize(
    "options, words",
    [
        ({"frames": 0}, "--frames is 0; it must be 1 or more"),
        ({"frames": -2}, "--frames is -2; it must be 1 or more"),
        ({"start": -1}, "--start is -1; it must be 0 or more"),
        ({"stride": 0}, "--stride is 0; it must be 1 or more"),
        ({"stride": -1}, "--stride is -1; it must be 1 or more"),
        ({"size": 0}, "--size is 0; it must be 1 or more"),
    ],
)
def test_a_number_that_makes_no_sense_is_named(tmp_path, options, words):
    make_ten(tmp_path)
    with pytest.raises(UserError, match=f"^{words}$"):
        read_clip(tmp_path / "a.gif", **options)


@pytest.mark.parametrize("frames", [None, 1, 2, 4, 24])
@pytest.mark.parametrize("start", [0, 3, 9, 10, 40])
@pytest.mark.parametrize("stride", [1, 3, 50])
def test_what_an_error_advises_works(monkeypatch, frames, start, stride):
    monkeypatch.setattr(video, "open_clip", lambda path: (8.0, (Image.new("L", (1, 1)) for _ in range(10))))
    asked = {"frames": frames, "start": start, "stride": stride}
    wanted = frames or 2
    if start + (wanted - 1) * stride < 10:
        assert len(read_clip("a.gif", **asked)[0]) >= wanted
        return
    with pytest.raises(UserError) as raised:
        read_clip("a.gif", **asked)
    advice = str(raised.value).split("; try ")[1]
    for way in advice.split(" or "):
        changed = {key: int(value) for key, value in re.findall(r"--(\w+) (\d+)", way)}
        assert changed.items() - asked.items()
        assert len(read_clip("a.gif", **asked | changed)[0]) >= min(wanted, 2)


# ---- nothing half-written


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
@pytest.mark.parametrize("failure", [1, -9, OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_no_other(monkeypatch, tmp_path, name, failure):
    (tmp_path / name).write_text("old")

    def half(command, **options):
        command[-1].write_bytes(b"half a film")
        if isinstance(failure, BaseException):
            raise failure
        said = b"[mp4 @ 0x55] Task finished\n[mp4 @ 0x55] Error closing file: No space left on device\n"
        return subprocess.CompletedProcess(command, failure, b"", said if failure == 1 else b"")

    monkeypatch.setattr(video.subprocess, "run", half)
    kind = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else UserError
    with pytest.raises(kind) as raised:
        WRITERS[name](tmp_path / name, waves(2), 8)
    if kind is UserError:
        why = "ffmpeg: exit status -9" if failure == -9 else "(ffmpeg: )?No space left on device"
        words = f"cannot be written, {why}; make room or choose another folder"
        assert re.fullmatch(f"{re.escape(str(tmp_path / name))}: {words}", str(raised.value))
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "old"


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
def test_a_real_ffmpeg_that_runs_out_of_room(tmp_path, name):
    resource = pytest.importorskip("resource")  # not on Windows
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, hard))
    try:
        with pytest.raises(UserError, match="cannot be written, ffmpeg: "):
            WRITERS[name](tmp_path / name, noise(8), 8)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("write", [write_mp4, write_gif])
def test_a_place_that_cannot_be_written(tmp_path, capfd, write):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(UserError, match="file/a: cannot be written, ffmpeg: Not a directory; make room"):
        write(tmp_path / "file" / "a", waves(2), 8)
    (tmp_path / "taken").mkdir()
    with pytest.raises(UserError, match="taken: cannot be written, Is a directory; "):
        write(tmp_path / "taken", waves(2), 8)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "taken"]
    assert capfd.readouterr() == ("", "")


def test_replacing_shows_the_file_only_when_it_is_whole(tmp_path):
    with replacing(tmp_path / "a.txt") as part:
        part.write_text("whole")
        assert part.parent == tmp_path and not (tmp_path / "a.txt").exists()
    assert (tmp_path / "a.txt").read_text() == "whole"
    with pytest.raises(ZeroDivisionError), replacing(tmp_path / "a.txt") as part:  # a bug stays a bug
        part.write_text("half")
        1 / 0
    assert [p.read_text() for p in tmp_path.iterdir()] == ["whole"]


# ---- comparisons


def grey(frame: int) -> int:
    """What `counted` paints frame number `frame`, as a byte."""
    return round((frame / 16 - 0.9 + 1) * 127.5)


def test_a_sheet_shows_the_same_moments_of_every_video():
    page = sheet([("long", counted(24, 32, 32)), ("short and small", counted(4, 8, 8))], columns=8, cell=40)
    line = round(1.3 * 17)  # one line of text
    assert page.size == (2 * 16 + 8 * 40 + 7 * 4, 2 * 16 + 2 * (line + 6 + 40) + 20)
    across = [16 + 20 + i * 44 for i in range(8)]
    first, second = 16 + line + 6 + 20, 16 + line + 6 + 40 + 20 + line + 6 + 20
    assert [page.getpixel((x, first))[0] for x in across] == [grey(i) for i in (0, 3, 7, 10, 13, 16, 20, 23)]
    assert [page.getpixel((x, second))[0] for x in across] == [grey(i) for i in (0, 0, 1, 1, 2, 2, 3, 3)]
    assert page.getpixel((16 + 42, first)) == (255, 255, 255)  # between two frames


def test_a_sheet_has_no_more_columns_than_frames_and_centres_what_is_narrow():
    wide, narrow = counted(3, 20, 40), counted(2, 20, 20)
    page = sheet([("a", wide), ("b", narrow)], cell=20)
    assert page.width == 2 * 16 + 3 * 40 + 2 * 4
    y = page.height - 16 - 10
    assert [page.getpixel((x, y))[0] for x in (18, 36, 54)] == [255, grey(0), 255]


def test_side_by_side_plays_together_and_ends_together():
    got = side_by_side([("long", counted(5, 16, 16)), ("short", counted(2, 10, 20))], height=64)
    line = round(1.3 * 17)
    assert got.shape == (5, 3, 8 + line + 6 + 64 + 8, 8 + 64 + 8 + 128 + 8)
    bytes_ = to_uint8(got)
    y = 8 + line + 6 + 32
    assert bytes_[:, y, 8 + 32, 0].tolist() == [grey(i) for i in range(5)]
    assert bytes_[:, y, 8 + 64 + 8 + 64, 0].tolist() == [grey(i) for i in (0, 0, 0, 1, 1)]
    assert (bytes_[:, :8] == 255).all() and (bytes_[:, y, 8 + 64 : 8 + 64 + 8] == 255).all()


def test_side_by_side_stands_on_one_line_under_labels_of_any_length():
    rows = [("a", counted(1, 8, 8)), ("a long label " * 9, counted(1, 8, 8))]
    got = to_uint8(side_by_side(rows, height=64))
    line = round(1.3 * 17)
    assert got.shape == (1, 8 + 3 * line + 6 + 64 + 8, 8 + 64 + 8 + 64 + 8, 3)
    top, bottom = 8 + 3 * line + 6, 8 + 3 * line + 6 + 63
    assert (got[0, [top, bottom]][:, [20, 100]] == grey(0)).all()
    assert (got[0, : 8 + 2 * line, : 8 + 64] == 255).all()  # the short label is right above its video


def ink(picture: Image.Image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is not white."""
    return Image.fromarray(255 - np.asarray(picture.convert("L"))).getbbox()


@pytest.mark.parametrize(
    "text, lines",
    [
        ("a man is skiing", 1),
        ("a man, wearing pink clothes, is skiing", 2),
        ("word " * 100, 3),
        ("W" * 200, 3),
        ("", 1),
    ],
)
def test_a_label_is_broken_to_fit(text, lines):
    picture = compare.label(text, 200)
    assert picture.size == (200, lines * round(1.3 * 17))
    if text:
        left, top, right, bottom = ink(picture)
        assert right <= 200 and top < round(1.3 * 17) and bottom > (lines - 1) * round(1.3 * 17)
        assert right > 100  # and the line is used
    else:
        assert ink(picture) is None


def test_a_label_says_what_it_is_given():
    def data(text: str) -> bytes:
        out = io.BytesIO()
        compare.label(text, 120).save(out, "png")
        return out.getvalue()

    assert data("a cat") != data("a dog")
    assert data("a café") == data("a cafe")  # the font has no accents, and a box would be worse
    assert data("word " * 100) == data("word " * 200) != data("word " * 6)  # the ellipsis stands for the rest
