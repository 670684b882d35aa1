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
import tav.api
import tune
from tav.inflation import inflate, trainable
from tav.io import runs, video
from tav.io.devices import DTYPES
from tav.io.weights import file_digest, load_tuned
from tav.text import Tokenizer
from tav.tuning import Tuning

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
    calls = counting(monkeypatch, tav.api, "sample")
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
    list(bar(range(3), "short"))
    for i in bar(range(99), "long"):
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


def test_ctrl_c_saves_even_if_it_comes_twice_as_with_torchrun_and_the_third_cuts(
    place, monkeypatch
):
    update = Tuning.update

    def cut(times):
        def cutting(self, loss):
            for _ in range(times):
                os.kill(os.getpid(), signal.SIGINT)
            assert times < 3
            update(self, loss)

        return cutting

    monkeypatch.setattr(Tuning, "update", cut(3))
    stopped = call(tune, *SHORT, folder=place)
    assert (stopped.status, stopped.err) == (130, "stopped by Ctrl-C\n")
    assert not (place / "run").exists()
    monkeypatch.setattr(Tuning, "update", cut(2))
    stopped = call(tune, *SHORT, folder=place)
    assert (stopped.status, stopped.err.startswith("stopped by Ctrl-C at step 1;")) == (130, True)
    assert len(load_file(place / "run" / "state.safetensors")["losses"]) == 1


def test_nothing_is_saved_before_a_step_is_done_and_saves_wait_for_20_times_what_one_took(
    place, monkeypatch
):
    now, saved = [0.0], []
    update, save = Tuning.update, tune.Run.save

    def one_second(self, loss):
        update(self, loss)
        now[0] += 1

    def half_a_second(self, name, values):
        if name == "state":
            saved.append(now[0])
            now[0] += 0.5
        save(self, name, values)

    monkeypatch.setattr(tune.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(Tuning, "update", one_second)
    monkeypatch.setattr(tune.Run, "save", half_a_second)
    monkeypatch.setattr(tune, "SAVE_EVERY", 2.0)
    succeed(tune, *SHORT[:-1], "14", folder=place)
    assert saved == [2, 2.5 + 20 * 0.5, 15]  # the last one at the end


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
    monkeypatch.setattr(tune, "SAVE_FACTOR", 0)
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
tune.SAVE_EVERY, tune.SAVE_FACTOR = 0.0, 0
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
for last in [1, 2, 3, 4, 6, *(chance.randrange(8, 20) for _ in range(5)), 0, 0, 0, None]:
    child = start(str(out), resume=(out / "run.json").exists(), last=last)
    if last == 0:  # kill it at any time, not just when a file is touched
        time.sleep(took * chance.random() / 4)
        os.kill(child, 9)
    statuses.append(os.waitpid(child, 0)[1])
print(statuses)
"""


@pytest.mark.slow
def test_a_killed_run_can_always_be_continued_to_the_same_bits(place):
    command = [sys.executable, "-c", KILL, *SHORT[:4], *SHORT[6:-1], "9"]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=place, env=env, capture_output=True, text=True, check=True)
    statuses = json.loads(done.stdout.splitlines()[-1])
    # A kill at any time may come when all is done.
    assert statuses[:10] == [9] * 10 and set(statuses[10:-1]) <= {9, 0} and statuses[-1] == 0, done
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
    succeed(tune, "--resume", "--out", "run", "--steps", "4", folder=tuned)
    succeed(sample, "a dog", *QUICK, folder=tuned)
    assert len(calls) == 3
    assert len(list((tuned / "run").glob("inversion-*.safetensors"))) == 4


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


@pytest.mark.parametrize("way", ["", "difference"])
def test_python_and_the_command_line_edit_alike(tuned, weights, way):
    """`tav.edit` with the same clip and settings gives the bytes that sample.py writes."""
    recipe = {"steps": 2, "guidance": 3}
    (tuned / "weights").unlink()
    copy(weights, tuned / "weights")
    (tuned / "weights" / "tav.json").write_text(json.dumps({"sample": recipe}))
    difference = way == "difference"
    succeed(sample, "a panda", "--run", "run", *["--difference"] * difference, folder=tuned)
    model = tav.load(tuned / "weights")
    load_tuned(model.unet, load_file(tuned / "run" / "tuned.safetensors"), "run")
    source = load_file(tuned / "run" / "source.safetensors")
    caption = json.loads((tuned / "run" / "run.json").read_text())["prompt"]
    frames = source["frames"].float() / 127.5 - 1
    video = tav.edit(model, frames, "a panda", caption=caption, difference=difference)
    tav.write_gif(tuned / "python.gif", video, source["fps"].item())
    assert (tuned / "python.gif").read_bytes() == videos(tuned / "run")["1-a-panda.gif"]


def test_difference_is_an_option_that_goes_without_inversion(tuned, weights):
    def edit(*options: str) -> bytes:
        succeed(sample, "a panda", *QUICK, *options, folder=tuned)
        return videos(tuned / "run")["1-a-panda.gif"]

    inverted, by_difference = edit(), edit("--difference")
    random = edit("--no-inversion")
    assert len({inverted, by_difference, random, edit("--difference", "--seed", "1")}) == 4
    done = call(sample, "a panda", *QUICK, "--difference", "--no-inversion", folder=tuned)
    assert done.status == 2 and done.err.startswith("error: --difference inverts nothing"), done
    # Tune-A-Video as published is the default, whatever weights of before say.
    (tuned / "weights").unlink()
    copy(weights, tuned / "weights")
    (tuned / "weights" / "tav.json").write_text(json.dumps({"sample": {"difference": True}}))
    assert edit() == inverted and edit("--difference") == by_difference


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
    with pytest.MonkeyPatch.context() as patch:
        calls = counting(patch, tav.api, "sample")
        succeed(sample, "a panda", *QUICK, folder=place)  # in the dtype of the run
    (model,) = [call[0] for call in calls]
    assert model.dtype == DTYPES[dtype] and "1-a-panda.gif" in videos(place / "run")
    # They run once, and an overflow there would blacken the video.
    parts = model.vae.quant_conv, model.text_encoder.text_model.final_layer_norm
    assert all(part.weight.dtype == torch.float32 for part in parts)


# ---- machines


@pytest.mark.parametrize("device", ["cuda", "cuda:3", "mps"])
def test_a_run_tuned_on_a_gpu_is_sampled_and_continued_on_a_machine_without_one(tuned, device):
    file = tuned / "run" / "run.json"
    settings = json.loads(file.read_text()) | {"device": device, "dtype": "fp16"}
    file.write_text(json.dumps(settings))
    with pytest.MonkeyPatch.context() as patch:
        calls = counting(patch, tav.api, "sample")
        succeed(sample, "a panda", *QUICK, folder=tuned)
    assert calls[0][0].dtype == torch.float32
    succeed(tune, "--resume", "--out", "run", "--steps", "4", folder=tuned)
    settings = json.loads(file.read_text())
    assert (settings["device"], settings["dtype"], settings["steps"]) == ("cpu", "fp32", 4)


# ---- what people type and bring


def test_clips_that_are_not_square(place):
    short = ["16x12" if word == "16" else word for word in SHORT]
    succeed(tune, *short, folder=place)
    assert json.loads((place / "run" / "run.json").read_text())["size"] == [16, 12]
    assert load_file(place / "run" / "source.safetensors")["frames"].shape == (2, 3, 12, 16)
    succeed(sample, "a panda", *QUICK, folder=place)  # which takes it from the run
    assert tav.read_clip(place / "run" / "samples" / "1-a-panda.gif")[0].shape == (2, 3, 12, 16)
    succeed(tune, *short, "--resume", folder=place)
    done = call(tune, *SHORT, "--resume", folder=place)
    assert done.err == "error: the run has size [16, 12], not 16; leave size out to resume\n"
    for size, words in {
        "16x": "invalid size value: '16x'",
        "16x0": "0 is not from 1 to 16384",
        "8x8x8": "8x8x8 is neither a side nor WIDTHxHEIGHT",
        "99999": "99999 is not from 1 to 16384",
    }.items():
        done = call(tune, *SHORT, "--size", size, folder=place)
        assert (done.status, done.err) == (2, f"error: argument --size: {words}; see --help\n")


def test_prompts_are_cleaned_where_they_enter(tuned):
    succeed(sample, "\u201cA panda\u201d \ufb01shes &amp; skis", *QUICK, folder=tuned)
    assert "1-a-panda-fishes-skis.gif" in videos(tuned / "run")
    done = call(tune, "clip.gif", "\ufeff", folder=tuned)
    assert done.err.startswith("error: argument prompt: an empty prompt"), done


def test_curly_quotes_give_the_tokens_of_straight_ones(tuned, monkeypatch):
    read, tokens = Tokenizer.__call__, []

    def reading(self, prompts):
        tokens.append(read(self, prompts).tolist())
        return read(self, prompts)

    monkeypatch.setattr(Tokenizer, "__call__", reading)
    for quote in ("\u2019", "'"):
        words = f"a man{quote}s dog"
        succeed(sample, words, *QUICK, "--negative", words, folder=tuned)
    assert len(tokens) == 2 and tokens[0] == tokens[1]


LATIN_1 = b"caf\xe9".decode(errors="surrogateescape")  # as Python gives such an argument


@pytest.mark.parametrize(
    "script, arguments, option",
    [
        (tune, ["clip.gif", LATIN_1], "prompt"),
        (tune, [*SHORT, "--preview-prompt", LATIN_1], "--preview-prompt"),
        (tune, [LATIN_1, "a man"], "clip"),
        (sample, [LATIN_1, *QUICK], "prompts"),
        (sample, ["a panda", *QUICK, "--negative", LATIN_1], "--negative"),
    ],
)
def test_a_prompt_that_is_not_utf_8_is_one_line(place, script, arguments, option):
    done = call(script, *arguments, folder=place)
    words = f"error: argument {option}: 'caf\\udce9' is not in UTF-8; see --help\n"
    assert (done.status, done.err) == (2, words)


@pytest.mark.parametrize("key", ["prompt", "clip", "weights"])
def test_a_run_json_with_a_lone_surrogate_is_one_line(tuned, key):
    file = tuned / "run" / "run.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: LATIN_1}))
    done = call(sample, "a panda", *QUICK, folder=tuned)
    assert done.status == 2 and done.err.startswith(f"error: run/run.json: {key} = "), done


@pytest.mark.parametrize(
    "script, arguments",
    [
        (tune, ["a" * 300, "a man"]),
        (tune, ["clip.gif", "a man", "--out", "a" * 300]),
        (tune, ["--resume", "--out", "a" * 300]),
        (sample, ["a man", "--run", "a" * 300]),
    ],
)
def test_a_name_that_is_too_long_is_one_line(place, script, arguments):
    done = call(script, *arguments, folder=place)
    assert done.status == 2 and done.err.startswith(f"error: {'a' * 300}"), done
    assert ": File name too long; " in done.err and done.err.count("\n") == 1
    done = call(tune, "clip.gif", "a man", "--weights", "a" * 300, folder=place)
    assert done.status == 2 and ": no such weights folder or file; " in done.err


def test_runs_that_begin_in_the_same_second_get_folders_of_their_own(place, monkeypatch):
    monkeypatch.setattr(tune.time, "strftime", lambda form: "20260101-000000")
    short = [*SHORT[:4], *SHORT[6:-1], "1"]
    said = [succeed(tune, *short, folder=place).out.split()[1] for _ in range(2)]
    assert said[0] != said[1] and all((place / run / "run.json").exists() for run in said)


def test_a_run_that_is_still_tuned_can_be_sampled(tuned):
    with tune.Run(tuned / "run").working():
        succeed(sample, "a panda", *QUICK, folder=tuned)
        busy = call(tune, "--resume", "--out", "run", "--steps", "4", folder=tuned)
        assert "another process is working in this run folder" in busy.err
    with tune.Run(tuned / "run").working(lock="source.safetensors"):
        succeed(tune, "--resume", "--out", "run", "--steps", "4", folder=tuned)
        busy = call(sample, "a panda", *QUICK, folder=tuned)
        assert "another process is working in this run folder" in busy.err


def test_previews_show_the_edit_on_the_way_and_change_nothing(done, place, weights):
    (place / "weights").unlink()
    copy(weights, place / "weights")
    recipe = {"steps": 2, "guidance": 3, "prompts": ["a panda", "a dog"]}
    (place / "weights" / "tav.json").write_text(json.dumps({"sample": recipe}))
    succeed(tune, *SHORT, "--preview", "2", folder=place)
    assert [path.name for path in (place / "run" / "previews").iterdir()] == ["step-2.png"]
    first = (place / "run" / "previews" / "step-2.png").read_bytes()
    for name in ("tuned", "state"):
        file = f"run/{name}.safetensors"
        assert (place / file).read_bytes() == (done / file).read_bytes()
    more = ["--preview", "1", "--preview-prompt", "a cat", "--steps", "4"]
    succeed(tune, "--resume", "--out", "run", *more, folder=place)
    names = {path.name for path in (place / "run" / "previews").iterdir()}
    assert names == {"step-2.png", "step-4.png"}
    assert (place / "run" / "previews" / "step-4.png").read_bytes() != first
    bad = call(tune, *SHORT, "--preview-prompt", " ", folder=place)
    assert "argument --preview-prompt: an empty prompt" in bad.err


def test_frames_that_are_not_finite_are_an_error_and_no_black_video(tuned, monkeypatch):
    monkeypatch.setattr(
        tav.api, "decode", lambda vae, x, progress: torch.full((2, 3, 16, 16), torch.nan)
    )
    failed = call(sample, "a dog", *QUICK, folder=tuned)
    assert failed.err == "error: the edited frames are not finite numbers; try --dtype fp32\n"
    assert "1-a-dog.gif" not in videos(tuned / "run")


def test_without_ffmpeg_sampling_does_not_begin(tuned, monkeypatch):
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    video.ffmpeg.cache_clear()
    calls = counting(monkeypatch, sample, "load")
    failed = call(sample, "a dog", *QUICK, folder=tuned)
    video.ffmpeg.cache_clear()
    assert failed.status == 2 and failed.err.startswith("error: no ffmpeg runs on this machine")
    assert not calls


def test_an_ffmpeg_that_writes_no_mp4_leaves_the_gifs_and_says_so(tuned, monkeypatch):
    monkeypatch.setattr(runs, "writes_mp4", lambda: False)
    with pytest.warns(
        UserWarning, match="^only gifs, because this ffmpeg lacks libx264 for mp4s; "
    ):
        succeed(sample, "a dog", *QUICK, folder=tuned)
    assert "1-a-dog.gif" in videos(tuned / "run")
    assert "1-a-dog.mp4" not in videos(tuned / "run", "mp4")
