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
    return Training("toy", model(), steps, 1e-2, lambda share: 64, folder)


def loss_of(model: nn.Module, count: int, generator: torch.Generator):
    x = torch.randn(count, 4, generator=generator)
    error = model(x)[:, 0] - x.sum(dim=1)
    return error.square().mean(), {}


def steps(trained: Training, count: int) -> None:
    for _ in range(count):
        trained.gradients(loss_of)
        trained.update()


def test_the_cores_share_a_batch_and_the_weights(tmp_path):
    trained = training(tmp_path)
    asked = []

    def counted(model, count, generator):
        asked.append(count)
        x = torch.full((count, 4), float(len(asked)))
        return model(x).mean(), {}

    trained.gradients(counted)
    assert sum(asked) == 64
    found = trained.model[2].weight.grad.clone()
    parts = [one(torch.full((1, 4), float(i + 1))) for i, one in enumerate(trained.copies)]
    wanted = torch.autograd.grad(
        sum(parts).mean() / len(parts), [one[2].weight for one in trained.copies]
    )
    assert torch.allclose(found, sum(wanted), atol=1e-6)
    trained.update()
    for one in trained.copies:  # a step of the model is a step of its copies
        assert torch.equal(one[2].weight, trained.model[2].weight)
        assert one[2].weight.grad is None


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
    fixed = torch.Generator().manual_seed(9)
    before = loss_of(trained.model, 64, fixed)[0].item()
    trained.run(loss_of)
    delivered = trained.deliver()
    assert loss_of(trained.model, 64, fixed.manual_seed(9))[0].item() < 0.5 * before
    stored = averaged("toy", model(), tmp_path)
    for a, b in zip(delivered.parameters(), stored.parameters(), strict=True):
        assert torch.equal(a, b)


def test_the_average_remembers_a_share_of_the_run(tmp_path):
    trained = training(tmp_path, 10_000)
    (name, p), *_ = trained.parameters.items()
    for step in range(200):  # weights that grow as the steps do: the average lags behind by 5 %
        p.data.fill_(step + 1.0)
        trained.step = step
        trained.copies[0].zero_grad()
        for q in trained.parameters.values():
            q.grad = torch.zeros_like(q)
        trained.lr = 0.0
        trained.update()
    assert 0.93 < trained.average[name].mean().item() / 200 < 0.96


def test_the_learning_rate_falls_linearly_to_nothing(tmp_path):
    trained = training(tmp_path, 10_000)
    rates = {}
    for step in (0, 49, 5_000, 9_999):
        trained.step = step
        steps(trained, 1)
        rates[step] = trained.optimizers[0].param_groups[0]["lr"]
    assert rates[0] == 1e-2 / 100 and rates[49] == 1e-2 / 2
    assert rates[5_000] == pytest.approx(1e-2 / 2) and rates[9_999] < 2e-6


def test_orthogonal_makes_all_singular_values_about_one():
    torch.manual_seed(0)
    for shape in ((8, 32), (32, 8)):
        values = torch.linalg.svdvals(orthogonal(torch.randn(shape)))
        assert 0.6 < values.min() and values.max() < 1.3
