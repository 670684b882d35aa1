"""Files and frames: what is written comes back, what is asked for is what is read, mistakes are
named."""

import re
import subprocess

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

from tav.io import sheets, video
from tav.io.cli import UserError
from tav.io.sheets import sheet, side_by_side
from tav.io.video import read_clip, replacing, write_gif, write_mp4
from tav.vae import to_uint8


def waves(f: int = 12, h: int = 96, w: int = 128) -> torch.Tensor:
    """A smooth pattern in colour that moves to the left: (f, 3, h, w)."""
    t, y, x = torch.meshgrid(
        torch.arange(f) / f, torch.arange(h) / h, torch.arange(w) / w, indexing="ij"
    )
    return torch.stack(
        [0.9 * torch.sin(2 * torch.pi * (x + y / 2 + t + k / 3)) for k in range(3)], dim=1
    )


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


def to_pil(frame: torch.Tensor) -> Image.Image:
    return Image.fromarray(to_uint8(frame[None])[0])


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
    # 0.3825 and 253.7: rounded
    assert to_uint8(values)[0, 0, :, 0].tolist() == [0, 0, 0, 128, 254, 255]
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
    # 16 frames' time is rounded to hundredths of a second
    close = 0.005 if name == "clip.mp4" else 0.02
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
    (tmp_path / f".{name}.part").write_text("left by a process that was killed")
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
    red, first, last = (
        Image.new("RGBA", (8, 8), "red"),
        Image.new("RGBA", (8, 8)),
        Image.new("RGBA", (8, 8)),
    )
    first.paste((0, 0, 255, 255), (0, 0, 4, 4))
    last.paste((0, 0, 255, 255), (4, 4, 8, 8))
    red.save(
        tmp_path / "a.gif",
        save_all=True,
        append_images=[first, last],
        disposal=[1, 3, 1],
        duration=50,
    )
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


# ---- what browsers, scanners and cameras make


def stated_as(webm: bytes, how: str) -> bytes:
    """A webm whose track states no length of a frame ("nothing"), or a millisecond ("1k fps")."""
    at = webm.index(b"\x23\xe3\x83") + 3  # DefaultDuration, in nanoseconds
    size = webm[at] & 0x7F
    if how == "1k fps":
        return webm[: at + 1] + (1_000_000).to_bytes(size, "big") + webm[at + 1 + size :]
    void = bytes([0xEC, 0x80 | (size + 2)]) + bytes(size + 2)
    return webm[: at - 3] + void + webm[at + 1 + size :]


@pytest.mark.parametrize("how", ["1k fps", "nothing"])
@pytest.mark.parametrize("fps", [24, 30])
def test_a_browsers_recording_keeps_its_speed(tmp_path, how, fps):
    """Its frames come when they come; the times are whole milliseconds."""
    write_mp4(tmp_path / "a.mp4", counted(30, 64, 64), 1000)
    unevenly = f"setpts=(N*1000/{fps}+mod(N*7\\,20))/1000/TB"
    vp8 = ["-vf", unevenly, "-fps_mode", "vfr", "-enc_time_base", "1/1000", "-c:v", "libvpx"]
    ffmpeg("-i", tmp_path / "a.mp4", *vp8, tmp_path / "b.webm")
    recorded = stated_as((tmp_path / "b.webm").read_bytes(), how)
    (tmp_path / "c.webm").write_bytes(recorded)
    got, found = read_clip(tmp_path / "c.webm")
    assert numbers(got) == list(range(30)) and found == pytest.approx(fps, rel=0.03)
    assert read_clip(tmp_path / "c.webm", stride=2)[1] == pytest.approx(fps / 2, rel=0.03)


def test_a_picture_of_16_bit_greys_keeps_them(tmp_path):
    ramp = np.linspace(0, 65535, 256).round().astype(np.uint16).reshape(16, 16)
    Image.fromarray(ramp).save(tmp_path / "1.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # show turned by 90 degrees clockwise
    Image.fromarray(ramp).save(tmp_path / "2.png", exif=exif)
    got, _ = read_clip(tmp_path)
    grey = np.arange(256).reshape(16, 16)
    for frame, expected in zip(to_uint8(got), (grey, np.rot90(grey, -1))):
        assert all((frame[..., channel] == expected).all() for channel in range(3))


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


def test_a_clip_is_read_no_further_than_needed(monkeypatch, tmp_path):
    taken = []

    def endless():
        for i in range(1000):
            taken.append(i)
            yield Image.new("RGB", (4, 4))

    monkeypatch.setattr(video, "open_clip", lambda path: (8.0, endless()))
    assert len(read_clip(tmp_path / "film.mp4", frames=3, start=4, stride=5)[0]) == 3
    assert taken[-1] == 14


def test_ffmpeg_is_ended_however_much_of_the_film_is_read(monkeypatch, tmp_path):
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(
        subprocess,
        "Popen",
        lambda *args, **options: started.append(popen(*args, **options)) or started[-1],
    )
    write_mp4(tmp_path / "a.mp4", noise(30, 256, 256), 8)
    started.clear()
    for frames in (1, None):
        read_clip(tmp_path / "a.mp4", frames=frames)
    with pytest.raises(UserError):
        read_clip(tmp_path / "a.mp4", frames=31)
    assert len(started) == 3 and all(process.poll() is not None for process in started)


def test_an_unknown_frame_rate_is_8(monkeypatch, tmp_path):
    film = iter([{"fps": 0, "size": (4, 4)}, bytes(4 * 4 * 3)])
    monkeypatch.setattr(imageio_ffmpeg, "read_frames", lambda *args, **options: film)
    (tmp_path / "a.mp4").write_text("something")
    assert read_clip(tmp_path / "a.mp4", stride=2)[1] == 4


def test_pictures_come_in_the_order_of_their_numbers_upright_and_without_hidden_files(tmp_path):
    folder = tmp_path / "clip"
    folder.mkdir()
    for i, name in enumerate(["img2.png", "img9.JPG", "img10.png", "img10b.jpeg"]):
        to_pil(counted(12, 16, 16)[i]).save(folder / name)
    (folder / "._img2.png").write_bytes(b"left by macOS")
    (folder / "notes.txt").write_text("not a picture")
    assert numbers(read_clip(folder)[0]) == [0, 1, 2, 3]


def test_a_picture_is_upright_and_lies_on_white(tmp_path):
    lying = Image.new("RGB", (20, 10), "white")
    lying.paste("black", (0, 0, 10, 10))  # on the left
    exif = Image.Exif()
    exif[0x0112] = 6  # show turned by 90 degrees clockwise
    lying.save(tmp_path / "1.jpg", exif=exif)
    Image.new("RGBA", (10, 20), (255, 0, 0, 0)).save(tmp_path / "2.png")  # fully transparent
    got, _ = read_clip(tmp_path)
    assert got.shape == (2, 3, 20, 10)
    assert got[0, 0, 2, 5] < -0.9 and got[0, 0, 17, 5] > 0.9  # black is on top
    assert (got[1] == 1).all()


def test_a_rotated_film_is_upright_and_wide_pixels_are_made_square(tmp_path, capfd, caplog):
    write_mp4(tmp_path / "a.mp4", counted(3, 32, 64), 8)
    ffmpeg(
        "-display_rotation", "90", "-i", tmp_path / "a.mp4", "-c", "copy", tmp_path / "turned.mp4"
    )
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

    crop, _ = read_clip(tmp_path, size=size)
    assert crop.shape == (1, 3, size, size)
    middle = (0, 20, 20, 40) if turn else (20, 0, 40, 20)
    cut = picture.resize((size, size), Image.Resampling.LANCZOS, box=middle)
    assert np.array_equal(to_uint8(crop)[0], np.asarray(cut))
    assert to_pil(crop[0]).getpixel((size // 2, size // 2)) == (0, 128, 0)

    whole, _ = read_clip(tmp_path, size=size, stretch=True)
    squeezed = picture.resize((size, size), Image.Resampling.LANCZOS)
    assert np.array_equal(to_uint8(whole)[0], np.asarray(squeezed))
    ends = [to_pil(whole[0]).getpixel(at) for at in [(0, 0), (size - 1, size - 1)]]
    assert ends == [(255, 0, 0), (0, 0, 255)]


def test_a_size_may_be_a_width_and_a_height(tmp_path):
    picture = Image.new("RGB", (60, 20), "red")
    picture.paste("blue", (30, 0, 60, 20))
    picture.save(tmp_path / "a.png")
    crop, _ = read_clip(tmp_path, size=(20, 40))
    cut = picture.resize((20, 40), Image.Resampling.LANCZOS, box=(25, 0, 35, 20))
    assert crop.shape == (1, 3, 40, 20) and np.array_equal(to_uint8(crop)[0], np.asarray(cut))
    whole, _ = read_clip(tmp_path, size=[20, 40], stretch=True)
    squeezed = picture.resize((20, 40), Image.Resampling.LANCZOS)
    assert np.array_equal(to_uint8(whole)[0], np.asarray(squeezed))


def test_a_square_of_the_right_size_is_left_alone(tmp_path):
    to_pil(noise(1, 24, 24)[0]).save(tmp_path / "a.png")
    as_is, _ = read_clip(tmp_path)
    for stretch in (False, True):
        assert torch.equal(read_clip(tmp_path, size=24, stretch=stretch)[0], as_is)


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


def make_broken_gif(path):
    write_gif(path / "a.gif", noise(4), 8)
    data = (path / "a.gif").read_bytes()
    (path / "a.gif").write_bytes(data[: len(data) // 2])


def make_folder(path):
    (path / "a").mkdir()
    (path / "a" / "notes.txt").write_text("no picture")


def make_ten(path):
    write_gif(path / "a.gif", counted(10, 8, 8), 8)


def make_two_sizes(path):
    (path / "a").mkdir()
    for name, size in (("1.png", (32, 24)), ("2.png", (32, 24)), ("3.png", (48, 16))):
        Image.new("RGB", size, "red").save(path / "a" / name)


UNREADABLE = (
    "it is cut short, damaged or not what its name says; copy or convert it again, or use another"
)
SHORT = "; ask for fewer --frames or a smaller --stride, or use a longer clip"
MISTAKES = [
    (None, "a.mp4", {}, "no such file or folder; check the spelling"),
    (make_folder, "a", {}, "no png or jpg in this folder; name a film, a gif or another folder"),
    (lambda path: (path / "a.mp4").touch(), "a.mp4", {}, UNREADABLE),
    (lambda path: (path / "a.gif").touch(), "a.gif", {}, UNREADABLE),
    (make_text, "a.mp4", {}, UNREADABLE),
    (make_cut, "a.mp4", {}, UNREADABLE),
    (make_head, "a.mp4", {}, UNREADABLE),
    (make_sound, "a.mp4", {}, UNREADABLE),
    (make_broken_gif, "a.gif", {}, UNREADABLE),
    (make_broken_picture, "a", {}, f"1.png: {UNREADABLE}"),
    (make_no_picture, "a", {}, f"1.png: {UNREADABLE}"),
    (
        make_two_sizes,
        "a",
        {},
        "pictures of different sizes (32 x 24 and 48 x 16 pixels); "
        "choose one --size for all, or resize them",
    ),
    (
        make_ten,
        "a.gif",
        {"frames": 24},
        f"found only 10 of 24 frames from --start 0 at --stride 1{SHORT}",
    ),
    (
        make_ten,
        "a.gif",
        {"frames": 4, "start": 3, "stride": 3},
        f"found only 3 of 4 frames from --start 3 at --stride 3{SHORT}",
    ),
    (
        make_ten,
        "a.gif",
        {"start": 10},
        f"found only 0 of 1 frames from --start 10 at --stride 1{SHORT}",
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


@pytest.mark.parametrize("stretch", [False, True])
def test_one_size_joins_pictures_of_different_sizes(tmp_path, stretch):
    make_two_sizes(tmp_path)
    got, _ = read_clip(tmp_path / "a", size=16, stretch=stretch)
    assert got.shape == (3, 3, 16, 16)
    assert len(read_clip(tmp_path / "a", frames=2)[0]) == 2  # the third is not asked for


def test_a_folder_that_may_not_be_read(monkeypatch, tmp_path):
    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "iterdir", refuse)
    with pytest.raises(
        UserError, match="Permission denied; copy or convert it again, or use another$"
    ):
        read_clip(tmp_path)


def test_a_film_that_is_cut_short_gives_what_it_has_and_says_how_much(tmp_path):
    make_half(tmp_path)
    got, _ = read_clip(tmp_path / "a.mp4")
    assert 2 <= len(got) < 8
    assert torch.equal(got[:2], read_clip(tmp_path / "whole.mp4", frames=2)[0])
    with pytest.raises(UserError, match=f"found only {len(got)} of 8 frames"):
        read_clip(tmp_path / "a.mp4", frames=8)


# ---- ffmpeg


@pytest.fixture
def stub(tmp_path, monkeypatch):
    """A function that puts a shell script in ffmpeg's place."""

    def stub(script: str) -> None:
        path = tmp_path / "ffmpeg"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(path))

    asked = (video.ffmpeg, video.writes_mp4)
    for function in asked:
        function.cache_clear()
    yield stub
    for function in asked:
        function.cache_clear()


def test_an_ffmpeg_that_is_too_old_is_no_damaged_clip(tmp_path, stub):
    write_mp4(tmp_path / "a.mp4", counted(2), 8)
    video.ffmpeg.cache_clear()
    said = "Unrecognized option 'fps_mode'."  # as 4.2.2 says
    stub(f'echo "{said}\nError splitting the argument list: Option not found" >&2; exit 1')
    words = rf"ffmpeg: an ffmpeg that is too old, or broken \({said}\); pip install --upgrade"
    with pytest.raises(UserError, match=words):
        read_clip(tmp_path / "a.mp4")
    with pytest.raises(UserError, match=words):
        write_gif(tmp_path / "a.gif", counted(2), 8)


def test_no_ffmpeg_is_one_line(tmp_path, stub, monkeypatch):
    (tmp_path / "a.mp4").write_text("something")
    for exe in ("/nowhere/ffmpeg", ""):
        monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", exe)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(imageio_ffmpeg._utils, "_get_ffmpeg_exe", lambda: None)
            with pytest.raises(
                UserError, match=r"^no ffmpeg runs on this machine \(.*; pip install"
            ):
                read_clip(tmp_path / "a.mp4")


def test_an_ffmpeg_without_h264_says_what_is_lacking(tmp_path, stub):
    stub('echo " V..... mpeg4"; exit 0')
    with pytest.raises(
        UserError, match="lacks libx264, which writes mp4s; write a gif, or another"
    ):
        write_mp4(tmp_path / "a.mp4", counted(2), 8)


# ---- nothing half-written


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif"])
@pytest.mark.parametrize(
    "failure", [1, -9, OSError(28, "No space left on device"), KeyboardInterrupt()]
)
def test_a_failed_write_leaves_the_old_file_and_no_other(monkeypatch, tmp_path, name, failure):
    (tmp_path / name).write_text("old")

    def half(command, **options):
        command[-1].write_bytes(b"half a film")
        if isinstance(failure, BaseException):
            raise failure
        said = b"[mp4 @ 0x55] Task finished\n"
        said += b"[mp4 @ 0x55] Error closing file: No space left on device\n"
        return subprocess.CompletedProcess(command, failure, b"", said if failure == 1 else b"")

    assert video.writes_mp4()  # which is asked only once
    monkeypatch.setattr(video.subprocess, "run", half)
    kind = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else UserError
    with pytest.raises(kind) as raised:
        WRITERS[name](tmp_path / name, waves(2), 8)
    if kind is UserError:
        why = {
            1: "ffmpeg: No space left on device (exit status 1)",
            -9: "ffmpeg:  (exit status -9)",
        }
        reason = why.get(failure, "No space left on device")
        words = f"cannot be written, {reason}; make room or choose another folder"
        assert str(raised.value) == f"{tmp_path / name}: {words}"
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
    with pytest.raises(
        UserError, match="file/a: cannot be written, ffmpeg: Not a directory .*; make room"
    ):
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
    with (
        pytest.raises(ZeroDivisionError),
        replacing(tmp_path / "a.txt") as part,
    ):  # a bug stays a bug
        part.write_text("half")
        1 / 0
    assert [p.read_text() for p in tmp_path.iterdir()] == ["whole"]


# ---- comparisons


def grey(frame: int) -> int:
    """What `counted` paints frame number `frame`, as a byte."""
    return round((frame / 16 - 0.9 + 1) * 127.5)


# the height of a label of two lines; 6 pixels of white are at the other sides, 2 around each frame
LABEL = 54


def test_a_sheet_shows_the_same_moments_of_every_video():
    page = sheet([("a clip", counted(24)), ("an edit", counted(24).flip(0))], cell=40)
    row = LABEL + 2 + 40 + 2 + 6
    assert page.size == (6 + 8 * 44 + 6, 2 * row)
    across, moments = [6 + 2 + 20 + i * 44 for i in range(8)], [0, 3, 7, 10, 13, 16, 20, 23]
    first, second = LABEL + 2 + 20, row + LABEL + 2 + 20
    assert [page.getpixel((x, first))[0] for x in across] == [grey(i) for i in moments]
    assert [page.getpixel((x, second))[0] for x in across] == [grey(23 - i) for i in moments]
    between = 6 + 44 - 2  # two frames
    assert [page.getpixel((between + x, first))[0] for x in (-1, 0, 3, 4)] == [
        grey(0),
        255,
        255,
        grey(3),
    ]


def test_a_sheet_has_no_more_columns_than_frames_and_keeps_their_shape():
    page = sheet([("a", counted(3, 20, 40))], cell=30)
    assert page.size == (6 + 3 * 64 + 6, LABEL + 2 + 30 + 2 + 6)
    assert [page.getpixel((6 + 2 + 30 + i * 64, LABEL + 17))[0] for i in range(3)] == [
        grey(i) for i in range(3)
    ]


def test_side_by_side_plays_together():
    got = side_by_side(
        [("a clip", counted(5, 16, 32)), ("an edit", counted(5, 16, 32).flip(0))], height=64
    )
    half = 6 + 2 + 128 + 2 + 6
    assert got.shape == (5, 3, LABEL + 2 + 64 + 2 + 6, 2 * half)
    pixels, y = to_uint8(got), LABEL + 2 + 32
    assert pixels[:, y, half // 2, 0].tolist() == [grey(i) for i in range(5)]
    assert pixels[:, y, half + half // 2, 0].tolist() == [grey(4 - i) for i in range(5)]
    assert (pixels[:, y, half - 8 : half + 8] == 255).all()


def ink(text: str, width: int = 200) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of what is not white in a label over a white picture."""
    page = sheets.titled(text, np.full((1, 10, width, 3), 255, np.uint8), 10)
    assert page.shape == (LABEL + 2 + 10 + 2 + 6, 6 + 2 + width + 2 + 6, 3)
    return Image.fromarray(255 - page).convert("L").getbbox()


@pytest.mark.parametrize(
    "text, lines",
    [
        ("a man is skiing", 1),
        ("a man, wearing pink clothes, is skiing", 2),
        ("spider man is skiing on the beach " * 9, 2),
        ("skiing" * 20, 2),
        ("a", 1),
    ],
)
def test_a_label_is_broken_to_fit_and_stands_right_above_its_video(text, lines):
    left, top, right, bottom = ink(text)
    assert 6 <= left < 10 and right < 216 - 6
    assert (bottom - top > 22) == (lines == 2)  # a line of text is at most 17 pixels high
    assert 0 < top and LABEL - 12 < bottom < LABEL


def test_a_label_in_letters_that_pillow_lacks_gets_a_font_that_has_them(monkeypatch):
    """Here no font but Pillow's, then one that knows every letter and draws it as its number."""
    sheets.in_a_font.cache_clear()
    monkeypatch.setattr(sheets, "FONTS", ())
    plain = "a man is skiing, “wearing” a hat…"
    assert sheets.in_a_font(plain)[0] == plain
    assert sheets.in_a_font("スキーをする男")[0] == sheets.UNWRITABLE
    assert ink("スキーをする男") == ink("人类") == ink(sheets.UNWRITABLE)  # not a row of boxes
    sheets.in_a_font.cache_clear()

    class Any:
        def getmask(self, letter):
            return type("Mask", (bytes,), {"size": (1, 1)})(letter.encode("utf-16"))

    truetype = sheets.ImageFont.truetype

    def find(name, *arguments, **options):
        return Any() if name == "any.ttf" else truetype(name, *arguments, **options)

    monkeypatch.setattr(sheets.ImageFont, "truetype", find)
    monkeypatch.setattr(sheets, "FONTS", ("none.ttf", "any.ttf"))
    label, font = sheets.in_a_font("スキーをする男")
    assert label == "スキーをする男" and isinstance(font, Any)
    sheets.in_a_font.cache_clear()


def test_a_label_says_what_it_is_given():
    def label(text: str) -> np.ndarray:
        return sheets.titled(text, np.zeros((1, 10, 120, 3), np.uint8), 10)

    assert (label("a cat") != label("a dog")).any()
    assert (label("") == label(" ")).all() and (label("")[:LABEL] == 255).all()
    assert (label("word " * 100) == label("word " * 200)).all()  # the ellipsis stands for the rest
    assert (label("word " * 100) != label("word " * 4)).any()
