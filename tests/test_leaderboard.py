"""The leaderboard: what is asked is measured, and nobody climbs it by doing nothing."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from weights.benchmark import report, run, scores
from weights.benchmark.clips import make_clip
from weights.benchmark.job import Settings
from weights.benchmark.methods import baselines
from weights.make import pose

ROOT = Path(__file__).parent.parent
FRAMES = 3
CLIP = make_clip(12, FRAMES)


def film(scenes) -> torch.Tensor:
    return scores.drawn(scenes, 128)


class Oracle:
    """In place of judge and pose network: it knows all drawings of the clip, finds the nearest one
    to each frame, and says what that shows and where its points are."""

    def __init__(self, clip):
        films = [clip.source, *(f for name in clip.edits for f in clip.ideals(name))]
        self.scenes = [scene for film in films for scene in film]
        self.frames = film(self.scenes).flatten(1)

    def nearest(self, video):
        distances = torch.cdist(video.flatten(1), self.frames)
        return [self.scenes[i] for i in distances.argmin(dim=1)]

    def answers(self, video):
        return [
            {name: getattr(scene, name) for name in scores.QUESTIONS}
            for scene in self.nearest(video)
        ]

    def __call__(self, video):
        return pose.truth(self.nearest(video))[0]


@pytest.fixture(scope="module")
def scorer():
    oracle = Oracle(CLIP)
    clip, tokenizer = scores.load_clip("weights/mini/clip")
    own = scores.Scorer.__new__(scores.Scorer)
    own.clip, own.tokenizer, own.judge, own.pose = clip, tokenizer, oracle, oracle
    return own


def entry(method: str, scorer, video_of) -> report.Entry:
    """The results of a method that answers each edit with `video_of(edit)`."""
    rows = {}
    for edit in CLIP.edits:
        rows[CLIP.number, edit] = scorer(video_of(edit), CLIP, edit) | {"seconds": 1.0}
    facts = {"settings": {}, "weights_hash": "0" * 64, "command": "-", "commit": "-", "date": "-"}
    return report.Entry(method, facts, rows)


def noisy(video: torch.Tensor, amount: float) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return video + amount * torch.randn(video.shape, generator=generator)


@pytest.fixture(scope="module")
def board(scorer):
    ideal = {edit: film(CLIP.edits[edit]) for edit in CLIP.edits}
    return [
        entry("plain", scorer, lambda edit: noisy(ideal[edit], 0.4)),
        entry("copies the source", scorer, lambda edit: film(CLIP.source)),
        entry("stands still", scorer, lambda edit: ideal[edit][:1].expand_as(ideal[edit])),
        entry("returns the ideal", scorer, lambda edit: ideal[edit]),
        entry("toy", scorer, lambda edit: noisy(ideal[edit], 0.2)),
    ]


def test_who_does_nothing_is_ranked_below_who_does_what_was_asked(board):
    order = [entry.method for entry in report.ranked(board)]
    assert order[:3] == ["returns the ideal", "toy", "plain"]
    assert set(order[3:]) == {"copies the source", "stands still"}


def test_the_floors_are_needed(board):
    """By PSNR alone the copy would be in front of plain Tune-A-Video."""
    plain, copy, still, *_ = board
    assert copy.mean("psnr") > plain.mean("psnr")
    assert copy.mean("asked") == 0
    assert still.mean("asked") == 1 and still.mean("motion") > plain.mean("motion")


def test_scores_of_the_ideal_and_of_the_source(board):
    _, copy, _, ideal, _ = board
    assert ideal.mean("success") == ideal.mean("asked") == 1
    assert ideal.mean("motion") == ideal.mean("jacket") == ideal.mean("drift") == 0
    for (_, edit), row in ideal.rows.items():
        assert row["psnr"] == pytest.approx(100), edit
    kept = [row["kept"] for (_, edit), row in copy.rows.items() if edit in ("subject", "color")]
    assert min(kept) > 45  # up to colours that differ too little to count
    assert max(row["changed"] for row in copy.rows.values()) < 20


def test_a_page_is_made_of_them(board):
    text = report.page(report.ranked(board))
    lines = [line for line in text.splitlines() if line.startswith("| 1 ")]
    assert lines and all("returns the ideal" in line for line in lines)
    assert "| – | copies the source" in text


def test_the_page_is_that_of_the_rows_and_what_is_quoted_stands_on_it():
    written = (report.RESULTS.parent / "LEADERBOARD.md").read_text(encoding="utf-8")
    assert written == report.page(report.ranked(report.entries(report.RESULTS)))
    quoted = {}
    for file in [ROOT / "README.md", *sorted((ROOT / "lessons").glob("*.md"))]:
        for number in re.findall(r"[0-9.]+ ± [0-9.]+[0-9]", file.read_text(encoding="utf-8")):
            quoted[number] = file.name
    assert quoted
    for number, name in quoted.items():
        assert number in written, f"{name}: {number}"


def test_without_frames_the_page_is_made_and_the_picture_stays(tmp_path, monkeypatch, capsys):
    """As in a fresh clone."""
    for file in report.RESULTS.glob("*.jsonl"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "leaderboard.png").write_bytes(b"old")
    arguments = ["report", "--results", str(tmp_path), "--out", str(tmp_path)]
    monkeypatch.setattr("sys.argv", arguments)
    report.main()
    assert (tmp_path / "LEADERBOARD.md").read_text(encoding="utf-8").startswith("# Leaderboard")
    assert (tmp_path / "leaderboard.png").read_bytes() == b"old"
    assert "no new leaderboard.png" in capsys.readouterr().out


def test_the_closest_of_several_right_answers_counts(scorer):
    """Another arrangement of the new place is as right as the one that the seed draws."""
    first, *others = CLIP.ideals("background")
    assert len(others) == 11
    found = scorer(film(others[3]), CLIP, "background")
    assert found["psnr"] == pytest.approx(100) and found["success"] == 1
    assert scores.psnr(film(others[3]), film(first)) < 40


def test_what_the_method_ideal_returns_is_one_of_the_ideals(monkeypatch):
    """Nobody could know a fur that training never showed, so `edits` itself is not always one."""
    clip = make_clip(18, FRAMES)
    monkeypatch.setattr(
        baselines, "encode_clip", lambda model, frames: SimpleNamespace(mean=frames)
    )
    monkeypatch.setattr(baselines, "decode", lambda vae, latents: latents)
    model = SimpleNamespace(size=128, vae=None)
    job = SimpleNamespace(clip=clip, model=model, prompts=dict.fromkeys(clip.edits))
    for edit, video in baselines.Ideal("ideal")(job).items():
        ideals = [film(scenes) for scenes in clip.ideals(edit)]
        assert torch.equal(video, ideals[scores.closest(video, ideals)]), edit
    assert not any(torch.equal(film(clip.edits["two"]), film(s)) for s in clip.ideals("two"))


def test_what_counts_as_changed_does_not_depend_on_the_video(scorer):
    """Not the closest arrangement of the new place decides, but all of them."""
    first, *others = CLIP.ideals("background")
    where = scores.changed(film(CLIP.source), [film(scenes) for scenes in [first, *others]])
    for scenes in (first, others[0]):
        there = ((film(scenes) - film(CLIP.source)).abs() / 2 > scores.SAME).any(dim=1)
        assert (where & there).sum() == there.sum() < where.sum()
    video = noisy(film(others[0]), 0.2)
    found = scorer(video, CLIP, "background")
    assert found["kept"] == pytest.approx(scores.psnr(video, film(others[0]), ~where))


def test_differences_are_taken_edit_by_edit():
    """A score that a method lacks for one edit is left out of both."""
    plain = {(12, "subject"): {"jacket": 0.1}, (12, "style"): {"jacket": 0.9}}
    other = {(12, "subject"): {"jacket": 0.3}, (12, "style"): {"jacket": float("nan")}}
    entries = [report.Entry("any", {}, rows) for rows in (other, plain)]
    assert float(report.gain(*entries, "jacket")) == pytest.approx(0.2 * 127.5)


def test_a_wrong_jacket_and_a_drifting_one():
    scenes = CLIP.edits["background"]
    ideal = film(scenes)
    worn = scores.masks(scenes, 128, scores.jacket_mask) > 0.5
    assert worn.sum() > 200
    redder = ideal.clone()
    redder[:, 0][worn] += 0.2
    assert scores.color_error(redder, ideal, worn) == pytest.approx(0.2 / 3, abs=1e-5)
    assert scores.color_drift(redder, ideal, worn) == pytest.approx(0, abs=1e-5)
    redder[0] = ideal[0]
    off = torch.tensor([0.0, 0.2, 0.2]).std(correction=0).item()
    assert scores.color_drift(redder, ideal, worn) == pytest.approx(off / 3, abs=1e-5)
    nowhere = torch.zeros_like(worn)
    assert scores.color_error(redder, ideal, nowhere) != scores.color_error(redder, ideal, nowhere)


# ---- the files of a run


def toy_run(
    tmp_path, monkeypatch, settings=Settings(), clips=(12, 13), value: float = 0.0
) -> list[int]:
    """A run of a toy method that is called with each job; returns the clips it was called for."""
    called = []

    def method(job):
        called.append(job.clip.number)
        return dict.fromkeys(job.prompts, torch.full((2, 3, 32, 32), value))

    job = SimpleNamespace(prompts={"subject": "a cat"}, saved=0.0)
    monkeypatch.setitem(run.METHODS, "toy", method)
    monkeypatch.setattr(run, "make_clip", lambda number, frames: SimpleNamespace(number=number))
    monkeypatch.setattr(run, "Job", lambda model, clip, *_: SimpleNamespace(**vars(job), clip=clip))
    model = SimpleNamespace(hash="0" * 64)
    run.run("toy", clips, settings, tmp_path, model, lambda video, clip, edit: {"psnr": 20.0})
    return called


def test_a_run_goes_on_with_the_next_clip(tmp_path, monkeypatch):
    assert toy_run(tmp_path, monkeypatch, clips=[12]) == [12]
    assert toy_run(tmp_path, monkeypatch, clips=[12, 13]) == [13]
    facts, rows = run.read(tmp_path / "toy.jsonl")
    assert set(rows) == {(12, "subject"), (13, "subject")}
    assert facts["method"] == "toy" and facts["settings"]["frames"] == Settings().frames
    assert (tmp_path / "frames" / "toy-13-subject.png").is_file()


def test_a_video_that_is_not_finite_is_no_result(tmp_path, monkeypatch):
    """It would be missing from the means, which would then be those of the easier edits."""
    with pytest.raises(ValueError, match="toy, clip 12: .* not finite"):
        toy_run(tmp_path, monkeypatch, value=float("nan"))
    assert run.read(tmp_path / "toy.jsonl")[1] == {}


def test_results_of_other_settings_are_not_mixed(tmp_path, monkeypatch):
    toy_run(tmp_path, monkeypatch)
    with pytest.raises(ValueError, match="other settings"):
        toy_run(tmp_path, monkeypatch, Settings(guidance=7.0))


def test_only_what_was_made_in_the_same_way_is_ranked(board):
    plain, other = board[0], board[1]
    facts = json.loads(json.dumps(other.facts)) | {"settings": {"guidance": 7}}
    with pytest.raises(ValueError, match="other settings"):
        report.ranked([plain, report.Entry("other", facts, other.rows)])
    with pytest.raises(ValueError, match="other clips"):
        report.ranked([plain, report.Entry("other", other.facts, {})])
    with pytest.raises(ValueError, match="'plain'"):
        report.ranked([other])
