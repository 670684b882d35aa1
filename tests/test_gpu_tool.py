"""The command that says what tav does on a GPU, as far as a CPU can tell: it runs dry, and a check
fails where it should."""

import math
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from tav import layers

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ROOT / "tests" / "tools"
sys.path.insert(0, str(TOOLS))  # where Python finds the modules of a script

import gpu  # noqa: E402
import gpu_checks  # noqa: E402

from tav.tuning import Tuning  # noqa: E402

# Neither films nor the reference libraries nor a network: whoever asks for one gets an error.
BARE = """
import runpy, socket, sys
socket.socket.connect = None
for name in ("imageio_ffmpeg", "diffusers", "transformers", "matplotlib"):
    sys.modules[name] = None
sys.argv = ["gpu.py", "--dry"]
sys.path.insert(0, "tests/tools")
runpy.run_path("tests/tools/gpu.py", run_name="__main__")
"""


@pytest.mark.slow
def test_it_runs_dry_on_a_bare_machine():
    done = subprocess.run(
        [sys.executable, "-c", BARE], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == "" and "FAILED" not in done.stdout
    assert done.stdout.count("\nok  ") == 10
    assert done.stdout.rstrip().endswith("all checks are ok")
    table = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {4}
    for row in ("inversion", "sampling", "encoding", "decoding", "one edit", "in bf16 without"):
        assert any(row in line for line in table), row
    steps = [int(ms) for ms in re.findall(r"\| (\d+) ms a step", done.stdout)]
    assert len(steps) == 6 and all(steps)


def test_without_a_gpu_it_says_so(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert gpu.main() == 2
    assert capsys.readouterr().err.startswith("error: no GPU here; ")


def test_what_fails_is_told_and_the_rest_goes_on(capsys):
    report = gpu.Report()
    report.check("right", lambda: (True, "as it should be"))
    report.check("wrong", lambda: (False, "off by 2"))
    report.check("broken", lambda: math.sqrt(-1))
    report.section("section", lambda report: {}["key"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["ok      right: as it should be", "FAILED  wrong: off by 2"]
    assert re.match("FAILED  broken: ValueError in test_gpu_tool.py:[0-9]+, .+$", lines[2])
    assert report.failed == ["wrong", "broken", "section"]


def test_what_does_not_fit_is_a_row(monkeypatch):
    def too_much(self):
        raise torch.cuda.OutOfMemoryError("out of memory")

    monkeypatch.setattr(Tuning, "loss", too_much)
    job = gpu_checks.tiny_tuning("cpu")
    assert gpu.tuning_step(job, gpu.DRY) == ("does not fit into memory", "")


def test_steps_left_out_are_counted(monkeypatch):
    job = gpu_checks.tiny_tuning("cpu")
    job.scale = gpu.FP16_SCALE / 4
    assert "(2 of 2 left out for overflow)" in gpu.tuning_step(job, gpu.DRY)[0]


def in_tf32(x: torch.Tensor) -> torch.Tensor:
    """What a tensor core reads of a number in fp32: 10 bits behind the first."""
    bits = x.contiguous().view(torch.int32)
    return ((bits + (1 << 12)) & -(1 << 13)).view(torch.float32)


@pytest.mark.parametrize("operation", ["conv2d", "linear"])
def test_tf32_is_found(monkeypatch, operation):
    assert gpu_checks.check_fp32("cpu")[0]
    exact = getattr(F, operation)

    def rounded(x, weight, *rest, **options):
        if x.dtype == torch.float32:
            x, weight = in_tf32(x), in_tf32(weight)
        return exact(x, weight, *rest, **options)

    monkeypatch.setattr(F, operation, rounded)
    assert not gpu_checks.check_fp32("cpu")[0]


def test_a_state_that_lacks_its_moments_is_found(monkeypatch, tmp_path):
    assert gpu_checks.check_tuning_resumed("cpu")[0]
    restore = Tuning.restore

    def forgetful(self, tensors):
        restore(self, tensors)
        self.optimizer.state.clear()

    monkeypatch.setattr(Tuning, "restore", forgetful)
    assert not gpu_checks.check_tuning_resumed("cpu")[0]
    monkeypatch.setattr(gpu_checks.Training, "load", lambda self: None)
    assert not gpu_checks.check_training_resumed("cpu", tmp_path)[0]


def test_other_draws_are_found(monkeypatch):
    seeds = iter((1, 1, 2))
    tiny_tuning = gpu_checks.tiny_tuning

    def seeded(*arguments):
        tuning = tiny_tuning(*arguments)
        tuning.seed = next(seeds)
        return tuning

    monkeypatch.setattr(gpu_checks, "tiny_tuning", seeded)
    assert not gpu_checks.check_tuning_here("cpu")[0]


def test_wrong_rows_of_attention_are_found(monkeypatch):
    exact = F.scaled_dot_product_attention

    def only_so_many(q, k, v, **options):
        mixed = exact(q, k, v, **options)
        return torch.cat([mixed[:65_535], 0 * mixed[65_535:]])

    monkeypatch.setattr(F, "scaled_dot_product_attention", only_so_many)
    monkeypatch.setattr(layers, "MOST_ROWS", 10**9)  # so that all go in at once
    assert not gpu_checks.check_many_rows("cpu")[0]
