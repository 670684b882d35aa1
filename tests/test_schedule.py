"""Schedule: steps equal diffusers', sampling and inversion and both kinds of prediction agree."""

import golden
import pytest
import torch

from tav.schedule import Schedule

_, INPUTS, EXPECTED = golden.read("schedule")
X, PREDICTION, NOISE = INPUTS["x"], INPUTS["prediction"], INPUTS["noise"]
KINDS = ["epsilon", "v_prediction"]


@pytest.fixture(params=KINDS)
def schedule(request):
    return Schedule(prediction_type=request.param)


def close(got: torch.Tensor, expected: torch.Tensor, atol: float = 1e-5) -> bool:
    assert got.dtype == torch.float32
    return (got - expected).abs().max().item() <= atol


def test_alphas_equal_diffusers():
    assert close(Schedule().alphas_cumprod, EXPECTED["alphas_cumprod"], 0)
    assert close(
        Schedule(beta_schedule="linear").alphas_cumprod, EXPECTED["alphas_cumprod_linear"], 0
    )


def test_grids_equal_diffusers():
    for steps in (10, 20, 50, 200):
        assert [t for t, _ in Schedule().steps(steps)] == golden.sizes("timesteps")[str(steps)]
    assert [t for t, _ in Schedule().steps(50)] == list(range(981, 0, -20))


def test_steps_are_the_grid_with_the_level_that_each_leads_to():
    assert Schedule().steps(50)[:2] == [(981, 961), (961, 941)]
    assert Schedule().steps(50)[-1] == (1, -19)  # below 0: `final_alpha_cumprod`
    for n in (1, 7, 600):
        steps = Schedule().steps(n)
        assert len(steps) == n
        assert all(previous == after for (_, previous), (after, _) in zip(steps, steps[1:]))


def test_impossible_grids_are_refused():
    for steps in (0, -1, 1000, 1001):
        with pytest.raises(ValueError, match="steps"):
            Schedule().steps(steps)


def test_unknown_settings_are_refused_by_name():
    for key in ("beta_schedule", "prediction_type"):
        with pytest.raises(ValueError, match=f"{key}='sample'"):
            Schedule(**{key: "sample"})


@pytest.mark.parametrize("t", [981, 501, 21, 1])
def test_steps_equal_diffusers(schedule, t):
    kind = f"{schedule.prediction_type}.{t}"
    assert close(schedule.ddim_step(PREDICTION, X, t, t - 20), EXPECTED[f"ddim.{kind}"])
    assert close(schedule.ddpm_step(PREDICTION, X, t, t - 20, NOISE), EXPECTED[f"ddpm.{kind}"])


def test_noise_and_target_equal_diffusers():
    schedule = Schedule(prediction_type="v_prediction")
    assert close(schedule.add_noise(X, NOISE, INPUTS["t"]), EXPECTED["noisy"], 1e-6)
    assert close(schedule.target(X, NOISE, INPUTS["t"]), EXPECTED["velocity"], 1e-6)
    assert close(Schedule().target(X, NOISE, INPUTS["t"]), NOISE, 0)


def test_a_perfect_prediction_gives_back_picture_and_noise(schedule):
    t = torch.tensor([981, 41])
    noisy, target = schedule.add_noise(X, NOISE, t), schedule.target(X, NOISE, t)
    x0, noise = schedule.to_x0_and_noise(target, noisy, t)
    assert close(x0, X, 2e-5)  # at t = 981 x_0 is divided by sqrt(Abar) = 0.08
    assert close(noise, NOISE)


def test_a_perfect_prediction_leads_down_the_path(schedule):
    target, noisy = schedule.target(X, NOISE, 501), schedule.add_noise(X, NOISE, 501)
    assert close(schedule.ddim_step(target, noisy, 501, 481), schedule.add_noise(X, NOISE, 481))


def test_v_and_epsilon_agree():
    """The same x_0 and noise, said in either way, give the same steps."""
    e, v = Schedule(), Schedule(prediction_type="v_prediction")
    a = e.alphas_cumprod[501]
    as_noise = a.sqrt() * PREDICTION + (1 - a).sqrt() * X
    assert close(v.ddim_step(PREDICTION, X, 501, 481), e.ddim_step(as_noise, X, 501, 481))
    assert close(
        v.ddpm_step(PREDICTION, X, 501, 481, NOISE), e.ddpm_step(as_noise, X, 501, 481, NOISE)
    )


def test_t_is_an_int_or_one_for_each_row(schedule):
    t, previous = torch.tensor([981, 1]), torch.tensor([961, -19])
    for step in (schedule.ddim_step, schedule.ddim_invert_step):
        rows = [step(PREDICTION[i], X[i], int(t[i]), int(previous[i]))[0] for i in range(2)]
        assert close(step(PREDICTION, X, t, previous), torch.stack(rows), 1e-6)


def test_16_bit_latents_are_stepped_in_fp32(schedule):
    low, p = X.bfloat16(), PREDICTION.bfloat16()
    assert close(
        schedule.ddim_step(p, low, 501, 481),
        schedule.ddim_step(p.float(), low.float(), 501, 481),
        0,
    )
    assert close(
        schedule.add_noise(low, p, 501), schedule.add_noise(low.float(), p.float(), 501), 0
    )
    assert schedule.target(low, p, 501).dtype == torch.float32


def test_the_last_ddim_step_ends_on_the_first_alpha(schedule):
    """`set_alpha_to_one` false: what is left is the noise of timestep 0."""
    a = schedule.alphas_cumprod[0]
    assert a.item() == pytest.approx(1 - 0.00085)
    x0, noise = schedule.to_x0_and_noise(PREDICTION, X, 1)
    assert close(
        schedule.ddim_step(PREDICTION, X, 1, -19), a.sqrt() * x0 + (1 - a).sqrt() * noise, 1e-6
    )
    other = Schedule(prediction_type=schedule.prediction_type, set_alpha_to_one=True)
    assert close(other.ddim_step(PREDICTION, X, 1, -19), x0, 1e-6)


def test_the_last_ddpm_step_is_the_clean_picture(schedule):
    x0, _ = schedule.to_x0_and_noise(PREDICTION, X, 1)
    assert close(schedule.ddpm_step(PREDICTION, X, 1, -19, NOISE), x0, 1e-6)


@pytest.mark.parametrize("t", [1, 21, 501, 981])
def test_inversion_undoes_a_step_with_the_same_prediction(schedule, t):
    down = schedule.ddim_step(PREDICTION, X, t, t - 20)
    assert close(schedule.ddim_invert_step(PREDICTION, down, t, t - 20), X, 2e-6)
    up = schedule.ddim_invert_step(PREDICTION, X, t, t - 20)
    assert close(schedule.ddim_step(PREDICTION, up, t, t - 20), X, 2e-6)


# Inversion with a UNet that is known exactly. If the data are Gaussian with deviation s, the best
# prediction has a closed form: x_t has variance D = Abar s^2 + 1 - Abar, so
# E[x_0 | x_t] = sqrt(Abar) s^2 x_t / D and E[e | x_t] = sqrt(1 - Abar) x_t / D.


def oracle(schedule: Schedule, x: torch.Tensor, t: int, s: float) -> torch.Tensor:
    a = schedule.alphas_cumprod[t]
    x0, noise = (a.sqrt() * s**2 * x / (a * s**2 + 1 - a), (1 - a).sqrt() * x / (a * s**2 + 1 - a))
    return (
        noise if schedule.prediction_type == "epsilon" else a.sqrt() * noise - (1 - a).sqrt() * x0
    )


def round_trip_error(schedule: Schedule, steps: int, s: float, invert=None) -> float:
    """Relative error of invert-then-sample."""
    invert = invert or schedule.ddim_invert_step
    clip = s * torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    x = clip
    for t, previous in reversed(schedule.steps(steps)):
        x = invert(oracle(schedule, x, t, s), x, t, previous)
    for t, previous in schedule.steps(steps):
        x = schedule.ddim_step(oracle(schedule, x, t, s), x, t, previous)
    return ((x - clip).norm() / clip.norm()).item()


@pytest.mark.parametrize("s", [0.2, 0.5, 2.0])
def test_inversion_error_falls_with_steps(schedule, s):
    errors = [round_trip_error(schedule, steps, s) for steps in (20, 50, 200)]
    assert errors[1] < errors[0] / 2
    assert errors[2] < errors[1] / 3.5


@pytest.mark.parametrize("s", [0.5, 1.0, 2.0])
def test_v_inversion_takes_both_levels(s):
    """The other two readings of v on the way up, for comparison: each level in both places."""
    schedule = Schedule(prediction_type="v_prediction")

    def target_level_only(v, x, t, previous):
        return schedule.add_noise(*schedule.to_x0_and_noise(v, x, t), t)

    def previous_level_only(v, x, t, previous):
        return schedule.add_noise(*schedule.to_x0_and_noise(v, x, previous), t)

    ours = round_trip_error(schedule, 50, s)
    assert ours < round_trip_error(schedule, 50, s, previous_level_only) / 2
    # no step
    assert torch.equal(
        target_level_only(PREDICTION, X, 501, 481).round(decimals=5), X.round(decimals=5)
    )
    if s == 1.0:  # v is 0 everywhere: nothing is left of the error
        assert ours < 1e-5
