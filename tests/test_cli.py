"""tune.py and sample.py end to end: what they leave, that cuts lose nothing, that seeds decide."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from command import SHORT, call, copy, poison, succeed, tree, write_clip
from PIL import Image
from safetensors.torch import load_file

import sample
import tav
import tune
from tav.inflation import inflate, trainable
from tav.io.weights import file_digest
from tav.tuning import Tuning, load_tuned

ROOT = Path(__file__).parent.parent
QUICK = ["--run", "run", "--steps", "2", "--guidance", "3"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return tiny.folder(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def place(tmp_path, weights):
    """A folder with a clip and weights."""
    write_clip(tmp_path / "clip.gif")
    (tmp_path / "weights").symlink_to(weights)
    return tmp_path


@pytest.fixture(scope="module")
def done(tmp_path_factory, weights):
    """The same, with a run of three steps in it and two edits; not to be changed."""
    place = tmp_path_factory.mktemp("done")
    write_clip(place / "clip.gif")
    (place / "weights").symlink_to(weights)
    succeed(tune, *SHORT, folder=place)
    succeed(sample, "A panda, skiing!", "🐼", *QUICK, folder=place)
    return place


@pytest.fixture
def tuned(done, tmp_path):
    """A copy of `done` to work in."""
    return copy(done, tmp_path)


def videos(run: Path, kind: str = "gif") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (run / "samples").glob(f"*.{kind}")}


def counting(monkeypatch, module, name: str) -> list:
    """The calls of a function from now on."""
    calls, function = [], getattr(module, name)
    monkeypatch.setattr(module, name, lambda *args: calls.append(args) or function(*args))
    return calls


# ---- what is left


def test_a_run_folder_holds_what_it_should(done, weights):
    settings = json.loads((done / "run" / "run.json").read_text())
    given = {
        "clip": "clip.gif",
        "prompt": "a man is skiing",
        "weights": "weights",
        "frames": 2,
        "stride": 2,
        "size": 16,
    }
    given |= {
        "steps": 3,
        "start": 0,
        "stretch": False,
        "seed": 0,
        "lr": 3e-5,
        "device": settings["device"],
    }
    given |= {
        "dtype": "fp32",
        "weights_hash": tav.load(weights).hash,
        "seconds": settings["seconds"],
    }
    given |= {"memory": "auto"}
    versions = {
        "tav": tav.__version__,
        "torch": torch.__version__,
        "python": sys.version.split()[0],
    }
    assert settings == given | versions
    assert 0 < settings["seconds"] < 100

    tensors = load_file(done / "run" / "tuned.safetensors")
    assert {n: t.shape for n, t in tensors.items()} == {
        n: p.shape for n, p in trainable(inflated(weights)).items()
    }
    assert (done / "run" / "loss.csv").read_text().splitlines()[0] == "step,loss"
    assert [
        line.split(",")[0] for line in (done / "run" / "loss.csv").read_text().splitlines()[1:]
    ] == ["0", "1", "2"]
    assert Image.open(done / "run" / "loss.png").size == (640, 320)

    names = {"1-a-panda-skiing", "2", "comparison"}  # a file name can be told from any prompt
    files = {f"{name}.{kind}" for name in names for kind in ("gif", "mp4")} | {"comparison.png"}
    assert {path.name for path in (done / "run" / "samples").iterdir()} == files
    video, fps = tav.read_clip(done / "run" / "samples" / "1-a-panda-skiing.gif")
    # 10 a second, every other one
    assert video.shape == (2, 3, 16, 16) and fps == pytest.approx(5, rel=0.05)
    assert tav.read_clip(done / "run" / "samples" / "comparison.mp4")[0].shape[3] > 3 * 256
    hidden = {path.name for path in (done / "run").rglob(".*")}
    assert hidden <= {".lock"}


def inflated(weights):
    return inflate(tav.load(weights).unet)


def test_the_loss_picture_shows_every_loss_and_their_mean(tmp_path):
    run = tune.Run(tmp_path)
    for losses in ([], [0.0], [1.0], [1.0, 0.5] * 40):
        run.write_losses(losses)
        assert len((tmp_path / "loss.csv").read_text().splitlines()) == 1 + len(losses)
        pixels = np.asarray(Image.open(tmp_path / "loss.png"))[20:]
        assert ((pixels != 255).any(axis=2).sum() > 0) == bool(losses)
    dots, means = (
        (pixels[:, 200:] == colour).all(axis=2).any(axis=1)
        for colour in [(192, 192, 192), (65, 105, 225)]
    )
    # at the top and half way down
    assert dots[:12].any() and dots[150:160].any() and not dots[12:150].any()
    # in between: silver, royal blue
    assert means[70:90].any() and not means[:70].any() and not means[90:].any()


def test_the_last_line_says_where_to_look(place):
    done = succeed(tune, *SHORT[:4], *SHORT[6:], folder=place)  # without --out
    run = Path(done.out.splitlines()[-1].split()[1])
    assert (
        run.parent == Path("runs")
        and run.name.endswith("-clip")
        and (place / run / "run.json").exists()
    )
    done = succeed(sample, "a panda", "--steps", "2", folder=place)  # the newest run
    assert done.out.splitlines()[-1].startswith(f"edits: {run}/samples")


def test_defaults_are_published_and_the_weights_override_them_and_arguments_both(
    place, weights, monkeypatch
):
    own = copy(weights, place / "own")
    tasks = {
        "tune": {"frames": 3, "stride": 1, "steps": 1, "size": 8},
        "sample": {"steps": 2, "prompts": ["a", "b"]},
    }
    (own / "tav.json").write_text(json.dumps({"note": "A model\n  of nothing."} | tasks))
    done = succeed(
        tune, "clip.gif", "a man", "--weights", "own", "--size", "12", "--out", "run", folder=place
    )
    settings = json.loads((place / "run" / "run.json").read_text())
    found = {key: settings[key] for key in ("frames", "stride", "steps", "lr", "size", "seed")}
    assert found == {"frames": 3, "stride": 1, "steps": 1, "lr": 3e-5, "size": 12, "seed": 0}
    assert done.out.splitlines()[0] == "A model of nothing." and len(done.out.splitlines()) == 2
    calls = counting(monkeypatch, sample, "sample")
    succeed(sample, folder=place, *["--run", "run"])
    assert [call[3:5] for call in calls] == [(2, 12.5)] * 2
    assert {"1-a.gif", "2-b.gif"} < videos(place / "run").keys()


def test_without_examples_the_caption_itself_is_sampled(tuned):
    succeed(sample, *QUICK, folder=tuned)
    assert "1-a-man-is-skiing.gif" in videos(tuned / "run")


def test_a_warning_is_one_line():
    code = "import warnings; from cli import run; "
    code += "run(lambda: warnings.warn('too long; cut: \"skiing\"'))"
    env = os.environ | {"PYTHONPATH": str(ROOT / "tav" / "io")}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, 'warning: too long; cut: "skiing"\n')


def test_a_bar_shows_after_two_seconds_and_ends_its_line_before_an_error():
    code = """
from cli import UserError, bar, run
import sys, time
def main():
    list(bar("short")(range(3)))
    for i in bar("long")(range(99)):
        time.sleep(2.1 * (i == 0))
        if i == 2:
            raise UserError("wrong; right")
run(main)"""
    env = os.environ | {"PYTHONPATH": str(ROOT / "tav" / "io")}
    # keep each \\r
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True)
    assert b"long" in done.stderr and b"short" not in done.stderr
    assert done.stderr.endswith(b"\nerror: wrong; right\n")


# ---- cut and continued


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(done, place):
    succeed(tune, *SHORT, folder=place)
    succeed(sample, "A panda, skiing!", "🐼", *QUICK, folder=place)
    same, other = done / "run", place / "run"
    assert (same / "tuned.safetensors").read_bytes() == (other / "tuned.safetensors").read_bytes()
    assert videos(same) == videos(other) and videos(same, "mp4") == videos(other, "mp4")
    succeed(tune, *SHORT, "--seed", "1", *["--out", "run1"], folder=place)
    assert (same / "tuned.safetensors").read_bytes() != (
        place / "run1" / "tuned.safetensors"
    ).read_bytes()


def test_ctrl_c_saves_says_so_and_resume_ends_where_an_uncut_run_does(done, place, monkeypatch):
    update = Tuning.update

    def cut(self, loss):
        if len(self.losses) == 1:
            os.kill(os.getpid(), signal.SIGINT)  # in the middle of a step
        update(self, loss)

    monkeypatch.setattr(Tuning, "update", cut)
    stopped = call(tune, *SHORT, folder=place)
    assert stopped.status == 130
    assert stopped.err == "stopped by Ctrl-C at step 2; continue with tune.py --resume --out run\n"
    assert len((place / "run" / "loss.csv").read_text().splitlines()) == 1 + 2
    monkeypatch.undo()
    succeed(sample, "a panda", *QUICK, folder=place)  # what there is can be looked at
    (place / "clip.gif").unlink()  # no longer needed
    succeed(tune, "--resume", "--out", "run", folder=place)
    for name in ("tuned", "state"):
        assert file_digest(place / "run" / f"{name}.safetensors") == file_digest(
            done / "run" / f"{name}.safetensors"
        )
    assert (place / "run" / "loss.csv").read_text() == (done / "run" / "loss.csv").read_text()


def test_a_second_ctrl_c_does_not_wait(place, monkeypatch):
    def cut(self, loss):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("still here")

    monkeypatch.setattr(Tuning, "update", cut)
    stopped = call(tune, *SHORT, folder=place)
    assert (stopped.status, stopped.err) == (130, "stopped by Ctrl-C\n")


def test_resume_with_more_steps_equals_tuning_them_at_once(tuned):
    succeed(tune, *SHORT[:4], *["--out", "whole"], *SHORT[6:-1], "5", folder=tuned)
    succeed(tune, "--resume", "--out", "run", "--steps", "5", folder=tuned)
    assert (tuned / "run" / "tuned.safetensors").read_bytes() == (
        tuned / "whole" / "tuned.safetensors"
    ).read_bytes()
    assert json.loads((tuned / "run" / "run.json").read_text())["steps"] == 5
    before = json.loads((tuned / "run" / "run.json").read_text())["seconds"]
    # nothing left to do, and the same arguments may stay
    succeed(tune, *SHORT[:-1], "5", "--resume", folder=tuned)
    assert json.loads((tuned / "run" / "run.json").read_text())["seconds"] >= before


def test_damaged_files_are_mended_as_the_error_says(tuned):
    for name in ("tuned", "source"):
        file = tuned / "run" / f"{name}.safetensors"
        whole = file.read_bytes()
        file.write_bytes(whole[:-1])
        assert (
            "delete, and continue the run with tune.py --resume"
            in call(sample, *QUICK, folder=tuned).err
        )
        file.unlink()
        succeed(tune, "--resume", "--out", "run", folder=tuned)
        assert file.read_bytes() == whole


@pytest.mark.parametrize("steps", ["6", "3"])  # the weights of the last step are tried out as well
def test_weights_that_break_stop_the_run_and_the_last_sound_state_stays(
    steps, done, place, monkeypatch
):
    monkeypatch.setattr(tune, "SAVE_EVERY", 0.0)
    monkeypatch.setattr(Tuning, "update", poison())
    broken = call(tune, *SHORT[:-1], steps, folder=place)
    assert broken.status == 2
    assert broken.err == "error: the loss is nan at step 3; try a smaller --lr\n"
    tensors = load_file(place / "run" / "state.safetensors")
    # that of step 2 was still finite, so those weights are saved
    assert len(tensors["losses"]) == 2
    assert all(t.isfinite().all() for t in tensors.values())
    assert all(t.isfinite().all() for t in load_file(place / "run" / "tuned.safetensors").values())
    monkeypatch.undo()
    succeed(tune, "--resume", "--out", "run", "--steps", "3", folder=place)
    assert (place / "run" / "tuned.safetensors").read_bytes() == (
        done / "run" / "tuned.safetensors"
    ).read_bytes()


KILL = """
import os, random, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
import tune
from tav.io.cli import run
tune.SAVE_EVERY = 0.0
model = tune.load("weights")
tune.load = lambda *arguments: model  # each child process has a copy of it
torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))]).step()  # imports much, once for all

def start(out, resume=False, last=0):  # a child process; killed at its last-th file operation
    if child := os.fork():
        return child
    seen = []
    def audit(event, arguments):
        if event in ("open", "os.mkdir", "os.rename", "os.remove") and out in str(arguments[0]):
            seen.append(event)
            if len(seen) == last:
                os.kill(os.getpid(), 9)
    sys.addaudithook(audit)
    sys.argv = ["tune.py", *sys.argv[1:], "--out", out, *["--resume"] * resume]
    try:
        run(tune.main)
    except SystemExit as end:
        os._exit(end.code)
    os._exit(0)

began = time.time()
os.waitpid(start("whole"), 0)
took = time.time() - began
chance, statuses, out = random.Random(0), [], Path("cut/run")
for last in [1, 2, 3, 4, 6, *(chance.randrange(10, 30) for _ in range(5)), 0, 0, 0, None]:
    child = start(str(out), resume=(out / "run.json").exists(), last=last)
    if last == 0:  # kill it at any time, not just when a file is touched
        time.sleep(took * chance.random() / 3)
        os.kill(child, 9)
    statuses.append(os.waitpid(child, 0)[1])
print(statuses)
"""


def test_a_killed_run_can_always_be_continued_to_the_same_bits(place):
    command = [sys.executable, "-c", KILL, *SHORT[:4], *SHORT[6:-1], "9"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == str([9] * 13 + [0]), done
    whole, cut = tree(place / "whole"), tree(place / "cut" / "run")
    assert whole.pop("run.json") and cut.pop("run.json")  # the time it took differs
    assert whole == cut


# ---- sampling


def test_the_inversion_is_kept_and_used_again_unless_something_changed(tuned, monkeypatch):
    calls = counting(monkeypatch, sample, "invert")
    before = videos(tuned / "run")
    succeed(sample, "A panda, skiing!", "🐼", *QUICK, folder=tuned)
    assert not calls and videos(tuned / "run") == before
    succeed(sample, "a dog", *QUICK, "--negative", "snow", "--guidance", "1", folder=tuned)
    assert not calls
    succeed(sample, "a dog", *QUICK, "--steps", "3", folder=tuned)
    assert len(calls) == 1
    succeed(sample, "a dog", *QUICK, "--dtype", "bf16", folder=tuned)
    assert len(calls) == 2
    assert [call[4] for call in calls] == ["", ""]
    succeed(sample, "a dog", *QUICK, "--invert-caption", folder=tuned)
    succeed(sample, "a dog", *QUICK, "--no-invert-caption", folder=tuned)
    assert len(calls) == 3 and calls[2][4] == "a man is skiing"
    succeed(tune, "--resume", "--out", "run", "--steps", "4", folder=tuned)
    succeed(sample, "a dog", *QUICK, folder=tuned)
    assert len(calls) == 4
    assert len(list((tuned / "run").glob("inversion-*.safetensors"))) == 5


def test_random_noise_needs_no_inversion_and_its_seed_decides(tuned, monkeypatch):
    calls, found = counting(monkeypatch, sample, "invert"), []
    for more in ([], ["--seed", "0"], ["--seed", "1"]):
        succeed(sample, "a panda", *QUICK, "--no-inversion", *more, folder=tuned)
        found.append(videos(tuned / "run")["1-a-panda.gif"])
    assert not calls and found[0] == found[1] != found[2]


def test_prompt_negative_prompt_and_guidance_change_the_video(tuned):
    found = set()
    for more in (
        ["a panda"],
        ["a dog"],
        ["a panda", "--negative", "snow"],
        ["a panda", "--guidance", "9"],
    ):
        succeed(sample, *more[:1], *QUICK, *more[1:], folder=tuned)
        found.add(videos(tuned / "run", "mp4")[f"1-{more[0].replace(' ', '-')}.mp4"])
    assert len(found) == 4


@pytest.mark.parametrize("way", [{"invert_caption": True}, {}, {"difference": True}])
def test_python_and_the_command_line_edit_alike(tuned, weights, way):
    """`tav.edit` with the same clip and settings gives the bytes that sample.py writes."""
    recipe = {"steps": 2, "guidance": 3} | way
    (tuned / "weights").unlink()
    copy(weights, tuned / "weights")
    (tuned / "weights" / "tav.json").write_text(json.dumps({"sample": recipe}))
    succeed(sample, "a panda", "--run", "run", folder=tuned)
    model = tav.load(tuned / "weights")
    load_tuned(model.unet, load_file(tuned / "run" / "tuned.safetensors"), "run")
    source = load_file(tuned / "run" / "source.safetensors")
    caption = json.loads((tuned / "run" / "run.json").read_text())["prompt"]
    frames = source["frames"].float() / 127.5 - 1
    caption = caption if way else None
    video = tav.edit(model, frames, "a panda", caption=caption)
    tav.write_gif(tuned / "python.gif", video, source["fps"].item())
    assert (tuned / "python.gif").read_bytes() == videos(tuned / "run")["1-a-panda.gif"]


def test_difference_is_an_option_that_goes_without_inversion(tuned, weights):
    def edit(*options: str) -> bytes:
        succeed(sample, "a panda", *QUICK, *options, folder=tuned)
        return videos(tuned / "run")["1-a-panda.gif"]

    inverted, by_difference = edit(), edit("--difference")
    random = edit("--no-inversion")
    assert len({inverted, by_difference, random, edit("--difference", "--seed", "1")}) == 4
    for option in ("--no-inversion", "--invert-caption"):
        done = call(sample, "a panda", *QUICK, "--difference", option, folder=tuned)
        assert done.status == 2 and done.err.startswith("error: --difference inverts nothing"), done
    # Where the weights' recipe has it, what is said of inversion turns it off.
    (tuned / "weights").unlink()
    copy(weights, tuned / "weights")
    (tuned / "weights" / "tav.json").write_text(json.dumps({"sample": {"difference": True}}))
    assert edit() == by_difference
    assert edit("--no-difference") == edit("--no-invert-caption") == inverted
    assert edit("--no-inversion") == random


def test_weights_may_move(tuned, weights):
    copy(weights, tuned / "elsewhere")
    (tuned / "weights").unlink()
    assert "weights: no such weights" in call(sample, *QUICK, folder=tuned).err
    succeed(sample, *QUICK, "--weights", "elsewhere", folder=tuned)
    succeed(tune, "--resume", "--out", "run", "--weights", "elsewhere", folder=tuned)
    succeed(sample, *QUICK, folder=tuned)  # the run knows it now


@pytest.mark.parametrize("dtype", ["bf16", "fp16"])
def test_half_precision_from_end_to_end(place, done, dtype):
    succeed(tune, *SHORT, "--dtype", dtype, folder=place)
    assert json.loads((place / "run" / "run.json").read_text())["dtype"] == dtype
    tensors, whole = (load_file(at / "run" / "tuned.safetensors") for at in (place, done))
    assert all(t.dtype == torch.float32 for t in tensors.values())
    assert all((tensors[name] - whole[name]).abs().max() < 0.01 for name in whole)
    seen = []
    original = sample.sample
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            sample,
            "sample",
            lambda model, *rest: seen.append(model.dtype) or original(model, *rest),
        )
        succeed(sample, "a panda", *QUICK, folder=place)  # in the dtype of the run
    assert seen == [tav.io.devices.DTYPES[dtype]] and "1-a-panda.gif" in videos(place / "run")
