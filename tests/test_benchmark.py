"""The benchmark: clips keep their promises, scores say what they are said to, rows edit, a run
resumes, and the page shows what was measured."""

import json
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny
import torch

import tav
from tav.inflation import VideoTransformerBlock
from tav.io.weights import load
from tav.model import Unsuitable
from weights.benchmark import clips, report, rows, run, scores
from weights.benchmark.clips import ANSWERS, EDITS, FIELDS, REPORT, drawn, make_clip, plans
from weights.make.pose import load_pose
from weights.make.world import scenes

ROOT = Path(__file__).parent.parent
FIXED = (*scenes.NAMES, "robot", "astronaut")
FRAMES = 4
SETTINGS = rows.Settings(tune_steps=2, lr=1e-3, steps=2, guidance=4.0, frames=2)


def film(clip, edit: str, answer: int = 0) -> torch.Tensor:
    return drawn(clip.ideals(edit)[answer], 128)


def changing(clip, edit: str) -> torch.Tensor:
    """Each frame from another right answer."""
    answers = clip.ideals(edit)
    return drawn([answers[i % len(answers)][i] for i in range(len(clip.source))], 128)


# ---- clips


def test_a_clip_is_what_its_plan_says():
    for number, (kind, *_) in plans().items():
        clip = make_clip(number, 16)
        assert clip == make_clip(number, 16)
        assert scenes.new_looks(clip.source[0]) == (kind == "new looks"), number
        moves = any(scenes.new_motion(scene) for scene in clip.source)
        assert moves == (kind == "new motion"), number
        made = [clip.source, *clip.edits.values()]
        assert not any(scenes.new_words(film[0]) for film in made), number
        prompts = [clip.caption, *map(clip.prompt, clip.edits)]
        assert len(set(prompts)) == len(prompts), number
        edits_change_what_their_names_say(make_clip(number, 3))


def edits_change_what_their_names_say(clip):
    car = clip.source[0].subject in scenes.VEHICLES
    assert {"subject" if car else "open", "background", "style", "two"} <= clip.edits.keys()
    for name, edited in clip.edits.items():
        for before, after in zip(clip.source, edited, strict=True):
            changes = [k for k in vars(before) if getattr(before, k) != getattr(after, k)]
            assert len(changes) == (2 if name == "two" else 1) and set(changes) <= FIELDS.keys()
            assert name in ("two", "open", *changes)
    if "subject" in clip.edits:
        assert clip.edits["subject"][0].subject in (scenes.VEHICLES if car else FIXED)
    if "open" in clip.edits:
        assert clip.edits["open"][0].subject not in FIXED and not car
        assert not {clip.source[0].subject, clip.edits["open"][0].subject} <= set(scenes.FOLK)
    assert clip.edits["two"][0].subject in (clip.source[0].subject, *FIXED)


def test_there_are_clips_of_every_kind():
    kinds = {number: cells[0] for number, cells in plans().items()}
    assert list(kinds) == [*range(6), *REPORT] and list(REPORT) == [*range(24, 36)]
    for kind in ("as trained", "new looks", "new motion"):
        assert sum(kinds[number] == kind for number in range(6)) == 2
        assert sum(kinds[number] == kind for number in REPORT) == 4
    with pytest.raises(Unsuitable, match="no clip 6"):
        make_clip(6, 8)


def test_what_nobody_says_has_many_right_answers():
    clip = make_clip(25, 2)  # spider man to a woman; the beach at night
    for name, what in (("open", "looks"), ("background", "seed")):
        answers = clip.ideals(name)
        assert len({getattr(answer[0], what) for answer in answers}) == len(answers) == ANSWERS
        assert all(getattr(a, what) == getattr(b, what) for a, b in answers)  # in all frames
    assert len({answer[0].looks.gear for answer in clip.ideals("open")}) == 1
    for name in ("subject", "attribute", "style", "two"):
        assert clip.ideals(name) == [clip.edits[name]]
    furs = [answer[0].looks.fur for answer in make_clip(31, 1).ideals("open")]
    assert furs == [0, 1, 2]
    car = make_clip(27, 1)  # its paint is that of the clip
    assert [answer[0].paint for answer in car.ideals("subject")] == [car.source[0].paint]


# ---- scores


@pytest.fixture(scope="module")
def pose():
    return load_pose()


@torch.no_grad()
def spread(pose, video: torch.Tensor, scene) -> float:
    return scores.spread(scores.part_colors(video, pose(video), scene))


@pytest.mark.parametrize("number", [24, 29, 30, 33, 35])
def test_the_spread_sees_changing_looks_and_no_change_of_place(number, pose):
    """Of people and an animal, upright and turned over."""
    clip = make_clip(number, FRAMES)
    scene = clip.edits["open"][0]
    constant = [spread(pose, film(clip, "open", i), scene) for i in range(3)]
    assert max(constant) < 10 and max(constant) - min(constant) < 4
    moved = spread(pose, film(clip, "open").roll((5, -4), dims=(2, 3)), scene)
    assert moved == pytest.approx(constant[0], abs=3)
    assert spread(pose, changing(clip, "open"), scene) > max(constant) + 12


def test_the_spread_sees_a_jacket_that_changes_alone(pose):
    clip = make_clip(25, FRAMES)
    worn = clip.ideals("open")[0]
    jackets = ["red", "blue", "white", "green"]
    changed = [
        replace(scene, looks=replace(scene.looks, jacket=jacket))
        for scene, jacket in zip(worn, jackets, strict=True)
    ]
    constant = spread(pose, drawn(worn, 128), worn[0])
    assert spread(pose, drawn(changed, 128), worn[0]) > constant + 10


def test_the_spread_is_the_standard_deviation_over_frames():
    colors = torch.tensor([[[0.0, 0.0, 0.0]], [[0.2, 0.4, 0.0]]])  # f 1 3
    assert scores.spread(colors) == pytest.approx(127.5 * (0.1 + 0.2 + 0.0) / 3)
    unseen = torch.full_like(colors, float("nan"))
    assert scores.spread(torch.cat([colors, unseen], dim=1)) == pytest.approx(12.75)


def test_near_a_line():
    a, b = torch.tensor([[0.25, 0.5]]), torch.tensor([[0.75, 0.5]])
    near = scores.near_line(a, b, 0.1, 64)[0]
    assert near[32, 32] and near[32, 16] and near[36, 40]
    assert not near[32, 8] and not near[40, 32] and not near[24, 32]
    assert scores.near_line(a, a, 0.1, 64).sum() == pytest.approx(np.pi * 6.4**2, rel=0.1)


@pytest.fixture(scope="module")
def found():
    """The scores of an honest toy and of cheats, by name and edit, on a clip to choose settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clips, "ANSWERS", 3)  # that is quicker
        return toys_and_cheats()


def toys_and_cheats() -> dict[str, dict]:
    clip, scorer = make_clip(0, FRAMES), scores.Scorer("weights/mini")
    generator = torch.Generator().manual_seed(0)

    def noisy(video: torch.Tensor) -> torch.Tensor:
        return (video + 0.1 * torch.randn(video.shape, generator=generator)).clamp(-1, 1)

    made = {
        "toy": lambda edit: noisy(film(clip, edit)),
        "source": lambda edit: drawn(clip.source, 128),
        "still": lambda edit: film(clip, edit)[1:2].expand(FRAMES, -1, -1, -1),
        "changing": lambda edit: changing(clip, edit),
    }
    edits = ("open", "attribute")
    found = {
        name: {edit: scorer(video(edit), clip, edit) for edit in edits}
        for name, video in made.items()
    }
    there = clip.edits["background"]
    away = [replace(one, pose=replace(one.pose, x=9.0)) for one in there]
    puppy = [replace(one, subject="puppy") for one in there]
    for name, scenes_of in {"away": away, "puppy": puppy}.items():
        found[name] = {"background": scorer(drawn(scenes_of, 128), clip, "background")}
    return found


def test_a_toy_gets_what_it_deserves(found):
    for edit, score in found["toy"].items():
        assert score["asked"] >= 75, edit
        assert abs(score["spread"]) < 4 and score["motion"] < 1.5 and score["spread_there"] < 10
        assert 24 < score["psnr"] < 28 and 24 < score["kept"] < 28  # 10 log10(1 / 0.05^2) = 26


def test_to_return_the_source_is_no_edit(found):
    for edit, score in found["source"].items():
        assert score["asked"] == 0, edit
        assert score["kept"] > 40 and score["motion"] < 1.5
        assert score["alignment"] < found["toy"][edit]["alignment"]


def test_with_nobody_or_with_somebody_else_nothing_is_there_that_was_asked(found):
    assert found["away"]["background"]["asked"] == found["puppy"]["background"]["asked"] == 0


def test_to_repeat_a_frame_is_constant_and_does_not_move(found):
    for edit, score in found["still"].items():
        assert score["spread"] < 1 and score["consistency"] == pytest.approx(100), edit
        assert score["motion"] > 3 * found["toy"][edit]["motion"]


def test_another_person_in_each_frame_is_caught_by_the_spread_alone(found):
    score, toy = found["changing"]["open"], found["toy"]["open"]
    assert score["asked"] >= 75 and score["motion"] < 1.5
    for name in ("spread", "spread_there"):
        assert score[name] > toy[name] + 12


def test_where_a_style_changes_everything_nothing_is_kept():
    video = torch.zeros(2, 3, 8, 8)
    few, many = torch.zeros(2, 2, 8, 8, dtype=torch.bool)
    few[0, 0, :2], many[:, :4] = True, True
    assert np.isnan(scores.psnr(video, video, few)) and scores.psnr(video, video, many) == 100


# ---- rows


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    model = replace(load(tiny.folder(tmp_path_factory.mktemp("tiny"))), size=32)
    settings = rows.Settings(tune_steps=2, lr=1e-2, steps=2, guidance=3.0, frames=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows, "STORE", tmp_path_factory.mktemp("store"))
        yield rows.Job(model, make_clip(0, 2), settings, ["open", "two"])


@pytest.fixture(scope="module")
def edited(job) -> dict[str, dict]:
    """What each row makes of one clip."""
    return {name: row.edit(job) for name, row in rows.ROWS.items()}


def test_rows_leave_the_model_alone(job):
    before = {key: value.clone() for key, value in job.model.unet.state_dict().items()}
    rows.ROWS["tune-a-video"].edit(job)
    after = job.model.unet.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(after[k], before[k]) for k in after)


def test_every_row_edits_in_a_way_of_its_own(edited):
    for name, videos in edited.items():
        assert list(videos) == ["open", "two"]
        for edit, video in videos.items():
            assert video.shape == (2, 3, 32, 32) and video.isfinite().all(), name
            assert video.abs().max() <= 1
            others = [found[edit] for other, found in edited.items() if other != name]
            assert min((video - other).abs().max() for other in others) > 1e-4, name


def test_a_tuned_network_is_kept_for_the_other_rows(job, edited, monkeypatch):
    assert len(list(rows.STORE.iterdir())) == 4  # with and without SC-Attn and Temp-Attn
    monkeypatch.setattr(tav, "tune", None)  # calling it would fail
    again = rows.ROWS["tune-a-video"].edit(job)
    assert all(torch.equal(again[edit], edited["tune-a-video"][edit]) for edit in again)


def test_a_part_that_is_left_out_is_not_there(job):
    unet = job.inflated(rows.NO_SC, None).unet
    blocks = [module for module in unet.modules() if isinstance(module, VideoTransformerBlock)]
    assert blocks
    assert all(type(b.attn1) is rows.NO_SC and b.attn_temp is None for b in blocks)


def test_the_row_ideal_is_a_right_answer(monkeypatch):
    monkeypatch.setattr(rows, "encode_clip", lambda model, frames: SimpleNamespace(mean=frames))
    monkeypatch.setattr(rows, "decode", lambda vae, latents: latents)
    clip, model = make_clip(3, 2), SimpleNamespace(size=32, vae=None)
    job = rows.Job(model, clip, SETTINGS, list(clip.edits))
    for edit, video in rows.ideal(job).items():
        assert torch.equal(video, drawn(clip.ideals(edit)[0], 32)), edit


# ---- the files of a run


def toy_run(
    out, monkeypatch, clips=(0, 5), settings=SETTINGS, value: float = 0.0, digest: str = "1"
) -> list:
    """A run of a toy row; returns the clips and guidances that it was called with."""
    called = []

    def toy(job) -> dict[str, torch.Tensor]:
        called.append((job.clip, job.settings.guidance))
        return dict.fromkeys(job.prompts, torch.full((2, 3, 32, 32), value))

    def make_job(model, clip, settings, edits):
        return SimpleNamespace(clip=clip.number, settings=settings, prompts=edits)

    monkeypatch.setitem(rows.ROWS, "toy", rows.Row("a toy", toy, higher=True))
    monkeypatch.setattr(run, "Job", make_job)
    measured = {"asked": 50.0, "spread": 2.0, "kept": float("nan")}

    def scorer(*_):
        return measured

    scorer.digest = digest
    run.run("toy", clips, settings, out, SimpleNamespace(hash="0" * 64), scorer)
    return called


def test_a_run_goes_on_with_the_next_clip(tmp_path, monkeypatch):
    assert toy_run(tmp_path, monkeypatch, [0]) == [(0, 4.0), (0, 6.0)]
    assert toy_run(tmp_path, monkeypatch, [0, 5]) == [(5, 4.0), (5, 6.0)]
    header, lines = run.read(tmp_path / "toy.jsonl")
    assert header["row"] == "toy" and header["settings"]["frames"] == 2
    assert header["weights_hash"] == "0" * 64 and header["commit"]
    assert header["command"].startswith("python -m weights.benchmark.run toy")
    assert [line["edit"] for line in lines if line["guidance"] == 6] == ["open", "open"]
    made = [(line["clip"], line["edit"]) for line in lines if line["guidance"] == 4]
    assert made == [(number, edit) for number in (0, 5) for edit in make_clip(number, 2).edits]
    assert lines[0]["asked"] == 50 and lines[0]["kept"] is None
    assert (tmp_path / "frames" / "toy-5-open-6.png").is_file()
    assert toy_run(tmp_path, monkeypatch, [3]) == [(3, 4.0)]  # of a car nothing is open


def test_a_video_that_is_not_finite_is_no_result(tmp_path, monkeypatch):
    """It would be missing from the means, which would then be those of the easier edits."""
    with pytest.raises(Unsuitable, match="toy, clip 0: not finite"):
        toy_run(tmp_path, monkeypatch, value=float("nan"))
    assert run.read(tmp_path / "toy.jsonl")[1] == []


def test_results_of_other_settings_are_not_mixed(tmp_path, monkeypatch):
    toy_run(tmp_path, monkeypatch, [0])
    with pytest.raises(Unsuitable, match="other settings"):
        toy_run(tmp_path, monkeypatch, [3], replace(SETTINGS, guidance=7.0))
    with pytest.raises(Unsuitable, match="other scorer_hash"):
        toy_run(tmp_path, monkeypatch, [3], digest="2")


def test_the_command_takes_the_weights_own_settings_unless_others_are_given(tmp_path, monkeypatch):
    recipes = {"tune": {"steps": 9, "lr": 0.1}, "sample": {"steps": 7, "guidance": 5.0}}
    called = []
    monkeypatch.setattr(run, "load", lambda *_: SimpleNamespace(recipe=recipes.get))
    monkeypatch.setattr(run, "Scorer", lambda weights: None)
    monkeypatch.setattr(run, "run", lambda row, clips, settings, *_: called.append((row, settings)))
    argv = ["run", "no-sc", "source", "--steps", "3", "--clips", "0", "4"]
    monkeypatch.setattr("sys.argv", argv)
    with pytest.raises(SystemExit, match="2"):
        run.main()  # these are not reported
    monkeypatch.setattr("sys.argv", [*argv, "--out", str(tmp_path)])
    run.main()
    asked = rows.Settings(tune_steps=9, lr=0.1, steps=3, guidance=5.0)
    assert called == [("no-sc", asked), ("source", asked)]
    monkeypatch.setattr("sys.argv", ["run", "no-such-row"])
    with pytest.raises(SystemExit, match="2"):
        run.main()


# ---- the page


def write(folder: Path, row: str, spread: dict[tuple[int, float], float], **facts) -> None:
    """A file of results, as `run` leaves it: spreads of open edits by clip and guidance, of which
    the other scores follow."""
    header = {"settings": {"guidance": 4.0, "frames": 2}, "weights_hash": "0" * 64} | facts
    header |= {"scorer_hash": "1"}
    header |= {"command": f"run {row}", "commit": "abc", "date": "2026-12-01"}
    lines = []
    for (clip, guidance), value in spread.items():
        line = {"clip": clip, "edit": "open", "guidance": guidance, "seconds": 60}
        others = dict.fromkeys([*scores.COLUMNS, "spread_there"], value)
        lines.append(line | others | {"asked": 100 - value, "kept": None})
    folder.mkdir(exist_ok=True)
    text = "".join(json.dumps(line) + "\n" for line in [header, *lines])
    (folder / f"{row}.jsonl").write_text(text, encoding="utf-8")


@pytest.fixture
def measured(tmp_path) -> Path:
    folder = tmp_path / "measured"
    write(folder, "tune-a-video", {(24, 4.0): 2, (25, 4.0): 4, (24, 6.0): 5, (25, 6.0): 9})
    write(folder, "no-sc", {(24, 4.0): 8, (25, 4.0): 3, (24, 6.0): 20, (25, 6.0): 8})
    write(folder, "ideal", {(24, 4.0): 0, (25, 4.0): 0})
    return folder


def line_of(text: str, start: str) -> list[str]:
    line = next(line for line in text.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_page_says_what_was_measured(measured):
    text = report.page(report.results(measured))
    _, asked, spread, motion, kept, *_, psnr = line_of(text, "Tune-A-Video")
    assert (asked, spread, motion) == ("**97 ± 1**", "**3.0 ± 1.0**", "**3.0 ± 1.0**")
    assert kept == "" and psnr == "3.0 ± 1.0"  # nothing to average; nothing is marked
    assert line_of(text, "without SC-Attn")[2] == "5.5 ± 2.5"
    assert line_of(text, "a right answer")[2] == "0.0 ± 0.0"  # no rival
    assert line_of(text, "`no-sc`") == ["`no-sc`", "", "5.5 ± 2.5; 94", "", "", "", ""]
    assert line_of(text, "SC-Attn |")[1:] == ["-2.5 ± 3.5", "+2.5 ± 3.5", "+2.5 ± 3.5", ""]
    assert not any(line.startswith("| Temp-Attn |") for line in text.splitlines())
    assert "{" not in text and "nan" not in text


def test_the_page_compares_with_and_without_the_parts(measured):
    text = report.page(report.results(measured))
    corner = line_of(text, "1.5 times that, without SC-Attn")
    assert corner[1:] == ["86 ± 6", "", "14.0 ± 6.0", "", "14.0 ± 6.0", ""]
    usual = line_of(text, "tuned, the usual guidance")
    assert usual[1:6] == ["3.0 ± 1.0", "5.5 ± 2.5", "2.5 ± 3.5", "45%", "1 of 2"]
    assert usual[6:] == ["2.5 ± 3.5", "97 ± 1 and 94 ± 2"]
    assert not any(line.startswith("| not tuned, the") for line in text.splitlines())
    write(measured, "no-sc", {(24, 4.0): 8})  # cut
    text = report.page(report.results(measured))
    assert line_of(text, "tuned, the usual guidance")[5] == "1 of 1"
    assert line_of(text, "`run no-sc`")[-2:] == ["1", "1"]


def test_only_what_was_made_in_the_same_way_is_compared(measured, tmp_path):
    write(measured, "neither", {}, settings={"guidance": 7.0})  # begun, and no clip is finished
    assert "neither" not in report.results(measured)
    write(measured, "no-temp", {(24, 7.0): 1}, settings={"guidance": 7.0})
    with pytest.raises(Unsuitable, match="tune-a-video and no-temp differ in settings"):
        report.results(measured)
    with pytest.raises(Unsuitable, match="no results"):
        report.results(tmp_path)


def test_the_commands_say_what_is_wrong_in_a_line(tmp_path, monkeypatch, capsys, measured):
    monkeypatch.setattr("sys.argv", ["report", str(tmp_path)])
    with pytest.raises(SystemExit, match="2"):
        report.main()
    assert "error: " in capsys.readouterr().err.splitlines()[-1]
    monkeypatch.setattr("sys.argv", ["report", str(measured)])
    report.main()
    assert (tmp_path / "RESULTS.md").read_text(encoding="utf-8").startswith("# What each part")


def test_what_is_quoted_stands_on_the_benchmarks_pages():
    pages = (ROOT / "weights" / "benchmark").glob("*.md")
    written = "".join(file.read_text(encoding="utf-8") for file in pages)
    quoted = {}
    for file in [ROOT / "README.md", *sorted((ROOT / "lessons").glob("*.md"))]:
        for number in re.findall(r"[0-9.]+ ± [0-9.]+[0-9]", file.read_text(encoding="utf-8")):
            quoted[number] = file.name
    assert quoted or not run.MEASURED.exists()
    for number, name in quoted.items():
        assert number in written, f"{name}: {number}"


def test_the_page_is_that_of_the_rows():
    if not run.MEASURED.exists():
        pytest.skip("no row has been run yet")
    written = (run.HERE / "RESULTS.md").read_text(encoding="utf-8")
    assert written == report.page(report.results(run.MEASURED))


def test_edits_are_called_as_in_the_table():
    text = (run.HERE / "clips.md").read_text(encoding="utf-8")
    assert tuple(line_of(text, "clip")[-len(EDITS) :]) == EDITS
