"""The miniature's benchmark: what it scores, what its methods change, that a cut run goes on, and
its tables."""

import json
import sys
from argparse import Namespace
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT / "weights" / "make")]

import ablations  # noqa: E402
import evaluate  # noqa: E402
import world  # noqa: E402

import tav  # noqa: E402
from tav import tuning  # noqa: E402

MINI = str(ROOT / "weights" / "mini")


@pytest.fixture(scope="module")
def model():
    return tav.load(MINI)


@pytest.fixture
def args(tmp_path):
    own = {"frames": 2, "steps": 1, "tune_steps": 2, "lr": 1e-3, "guidance": 2.0, "seed": 0}
    asked = {"clips": [6], "edits": ["subject"], "methods": ["source", "full", "ideal"]}
    return Namespace(
        **own, **asked, weights=MINI, results=tmp_path / "results.jsonl", out=tmp_path / "out"
    )


def test_clips_and_edits_are_what_they_should_be():
    for clip in range(len(evaluate.CLIPS)):
        source, edits = evaluate.scenes_of(clip, 3)
        assert list(edits) == list(evaluate.EDITS)
        for kind, scenes in edits.items():
            changed = {
                name
                for name in (
                    "subject",
                    "background",
                    "attribute",
                    "style",
                    "action",
                    "food",
                    "pose",
                )
                if any(getattr(a, name) != getattr(b, name) for a, b in zip(source, scenes))
            }
            assert changed == {kind}
            assert not world.held_out(scenes[0])


def test_the_truth_scores_best_and_the_source_shows_nothing_of_what_was_asked():
    scorer = evaluate.Scorer(MINI)
    source, edits = evaluate.scenes_of(6, 4)
    for kind, target in edits.items():
        video = evaluate.draw(target, 128)
        truth = scorer(video, source, target, kind)
        unedited = scorer(evaluate.draw(source, 128), source, target, kind)
        assert (
            truth["asked"] == truth["success"] == 1
            and truth["motion"] < 0.01
            and truth["ssim"] > 0.9999
        )
        assert unedited["asked"] == unedited["success"] == 0 and unedited["motion"] < 0.01
        assert unedited["ssim"] < 0.99
        if kind != "attribute":  # the miniature's CLIP overlooks this hat; the judge does not
            assert unedited["alignment"] < truth["alignment"] - 5
        assert scorer(video.flip(0), source, target, kind)["motion"] > 3 * truth["motion"]


@pytest.mark.parametrize("kind", ["untuned", "no-cross", "no-temp", "causal", "full"])
def test_what_a_method_trains(kind, model, args):
    posterior = tuning.encode_clip(model, evaluate.draw(evaluate.scenes_of(6, 2)[0], 128))
    made = ablations.network(
        model, kind, posterior, "wonder woman is skiing", args
    ).unet.state_dict()
    before = model.unet.state_dict()
    moved = {name for name, value in before.items() if not torch.equal(value, made[name])}
    assert any("attn1.to_q" in name for name in moved) == (kind != "untuned")
    assert any("attn2.to_q" in name for name in moved) == (kind not in ("untuned", "no-cross"))
    assert all("to_q" in name for name in moved)
    outputs = [value for name, value in made.items() if "attn_temp.to_out.0.weight" in name]
    assert bool(outputs) == (kind != "no-temp")
    assert any(value.any() for value in outputs) == (kind not in ("untuned", "no-temp"))


def test_the_causal_variant_sees_no_later_frame(model, args):
    posterior = tuning.encode_clip(model, evaluate.draw(evaluate.scenes_of(6, 2)[0], 128))
    block = (
        ablations.network(model, "causal", posterior, "", args)
        .unet.mid_block.attentions[0]
        .transformer_blocks[0]
    )
    x = torch.randn(3, 4, block.norm1.weight.shape[0])
    text, other = (
        torch.randn(1, 5, block.attn2.to_k.in_features),
        torch.cat([x[:2], torch.randn(1, *x.shape[1:])]),
    )
    a, b = block(x, text, 3), block(other, text, 3)
    assert torch.allclose(a[:2], b[:2], atol=1e-5) and not torch.allclose(a[2], b[2], atol=1e-2)


def test_a_run_goes_on_where_it_was_cut_and_reports(model, args, capsys, monkeypatch):
    evaluate.run(model, args)
    lines = args.results.read_text().splitlines()
    assert len(lines) == 3 and len(list(args.results.with_suffix("").rglob("*.safetensors"))) == 1
    evaluate.run(model, args)
    assert args.results.read_text().splitlines() == lines
    # the edit by "full" is lost; its network is kept
    args.results.write_text("\n".join(lines[:2]) + "\n")
    monkeypatch.setattr(tuning.Tuning, "update", None)  # so nothing is tuned again
    evaluate.run(model, args)
    first, again = json.loads(lines[2]), json.loads(args.results.read_text().splitlines()[2])
    assert first["method"] == "full" and abs(first.pop("seconds") - again.pop("seconds")) < 1
    assert first == again
    capsys.readouterr()
    evaluate.report(model, args)
    printed = capsys.readouterr().out
    assert printed.count("Tune-A-Video") == 2 and f"weights {model.hash[:12]}" in printed
    assert {path.name for path in args.out.iterdir()} == {
        "evaluation.md",
        "evaluation.png",
        "evaluation-sheet.png",
    }
    evaluate.sweep(model, args)
    assert len(capsys.readouterr().out.splitlines()) == 2 + 3


def test_means_and_standard_errors_are_over_clips(args):
    args.clips, args.edits = [0, 1, 2], ["subject", "style"]
    done = {}
    for clip, values in enumerate([(1, 3), (4, 4), (6, 8)]):
        for edit, value in zip(args.edits, values):
            done[clip, "full", edit] = {"psnr": value}
            done[clip, "untuned", edit] = {"psnr": value - 1 - clip}
    assert evaluate.averages(done, "full", "psnr", args) == {0: 2.0, 1: 4.0, 2: 7.0}
    assert evaluate.figure([2.0, 4.0, 7.0], "psnr") == "4.3 ± 1.5"
    del done[2, "full", "style"]
    assert evaluate.averages(done, "full", "psnr", args).keys() == {0, 1}
