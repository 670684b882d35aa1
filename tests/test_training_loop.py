"""The loop that trains the miniature: it learns, saves itself, and goes on where it was cut."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from weights.make.training import (
    Training,
    attention_for_training,
    averaged,
    orthogonal,
    steps_of,
    write_state,
)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 1))


def training(folder, steps: int = 1000) -> Training:
    return Training("toy", model(), steps, 1e-2, folder, ema=0.9)


def loss_for(trained: Training):
    def loss_of(generator):
        x = torch.randn(64, 4, generator=generator)
        error = trained.model(x)[:, 0] - x.sum(dim=1)
        return error.square().mean(), {}

    return loss_of


def steps(trained: Training, count: int) -> None:
    for _ in range(count):
        loss, _ = loss_for(trained)(torch.Generator().manual_seed(trained.step))
        trained.update(loss)


def test_a_cut_run_goes_on_as_if_it_had_not_been_cut(tmp_path):
    whole = training(tmp_path / "none")
    steps(whole, 12)
    first = training(tmp_path)
    steps(first, 7)
    first.save()
    second = training(tmp_path)
    assert second.step == 7
    steps(second, 5)
    for name, value in whole.parameters.items():
        assert torch.equal(value, second.parameters[name])
        assert torch.equal(whole.average[name], second.average[name])


def test_a_run_goes_on_from_weights_alone(tmp_path):
    trained = model()
    with torch.no_grad():
        trained[0].weight.fill_(0.5)
    write_state("toy", trained, tmp_path, 700)
    assert steps_of("toy", tmp_path) == 700
    second = training(tmp_path)
    assert second.step == 700
    for name, value in trained.named_parameters():
        assert torch.equal(value, second.parameters[name])
        assert torch.equal(value, second.average[name])
    steps(second, 2)
    assert not torch.equal(trained[0].weight, second.parameters["0.weight"])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_for_training_is_attention(causal):
    q, k, v = (torch.randn(2, 4, 9, 8, requires_grad=True) for _ in range(3))
    weight = torch.randn(2, 4, 9, 8)

    def attended() -> list[torch.Tensor]:
        x = F.scaled_dot_product_attention(q, k, v, is_causal=causal)
        return [x, *torch.autograd.grad((x * weight).sum(), (q, k, v))]

    usual = attended()
    with attention_for_training("cpu"):
        written = attended()
    for a, b in zip(usual, written, strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_it_learns_and_delivers_the_average(tmp_path):
    trained = training(tmp_path, steps=300)
    loss_of = loss_for(trained)
    before = loss_of(torch.Generator().manual_seed(9))[0].item()
    trained.run(loss_of)
    delivered = trained.deliver()
    assert loss_of(torch.Generator().manual_seed(9))[0].item() < 0.5 * before
    stored = averaged("toy", model(), tmp_path)
    for a, b in zip(delivered.parameters(), stored.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_learning_rate_cools_down_to_nothing(tmp_path):
    trained = training(tmp_path, 10_000)
    rates = []
    for share in (0.02, 0.5, 0.79, 0.9, 0.999):
        trained.step = int(10_000 * share)
        steps(trained, 1)
        rates.append(trained.optimizers[0].param_groups[0]["lr"])
    assert rates[0] == rates[1] == rates[2] == 1e-2
    assert rates[3] < 0.6 * rates[2] and rates[4] < 0.02 * rates[2]


def test_orthogonal_makes_all_singular_values_about_one():
    torch.manual_seed(0)
    for shape in ((8, 32), (32, 8)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.6 < values.min() and values.max() < 1.3
