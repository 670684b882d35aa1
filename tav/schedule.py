"""How much noise at which timestep, and the steps that add and remove it (lessons 03, 05 and 11).

Shapes: latents x (b, c, h, w). A timestep t is an int, or a LongTensor with one for each of the b
rows, or one for all. With x_0 the clean latents, noise of variance 1 and Abar = `alphas_cumprod[t]`
(`a` in the code), the share of the variance of x_0 that is left at t,

    x_t = sqrt(Abar) x_0 + sqrt(1 - Abar) noise        DDPM (Ho et al. 2020), equation 4
    v_t = sqrt(Abar) noise - sqrt(1 - Abar) x_0        Salimans & Ho 2022, appendix D

and the UNet predicts the noise ("epsilon") or v. In DDIM (Song et al. 2021) alpha means Abar. All
is computed in fp32.
"""

import torch
from torch import Tensor

Time = int | Tensor  # a timestep
POWERS = {"scaled_linear": 0.5, "linear": 1.0}  # `beta_schedule`: what power of beta is linear
PREDICTIONS = ("epsilon", "v_prediction")


class Schedule:
    """Stable Diffusion's noise schedule; the arguments are the keys of `scheduler_config.json`.

    `prediction_type`: "epsilon" (SD 1, SD 2 base) or "v_prediction" (SD 2 at 768).
    `set_alpha_to_one` false: the last DDIM step ends at Abar_0 = 0.99915, not at 1; training never
    saw less noise than that.
    """

    def __init__(
        self,
        num_train_timesteps: int = 1000,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: str = "scaled_linear",
        prediction_type: str = "epsilon",
        steps_offset: int = 1,
        set_alpha_to_one: bool = False,
    ):
        if beta_schedule not in POWERS or prediction_type not in PREDICTIONS:
            raise ValueError(f"one of these is unknown: {beta_schedule=}, {prediction_type=}")
        power = POWERS[beta_schedule]
        first, last = beta_start**power, beta_end**power
        roots = torch.linspace(first, last, num_train_timesteps, dtype=torch.float32)
        self.betas = roots ** (1 / power)
        self.alphas_cumprod = torch.cumprod(1 - self.betas, dim=0)  # prod_{j <= t} (1 - beta_j)
        self.final_alpha_cumprod = torch.tensor(1.0) if set_alpha_to_one else self.alphas_cumprod[0]
        self.num_train_timesteps, self.steps_offset = num_train_timesteps, steps_offset
        self.prediction_type = prediction_type

    def _alpha(self, t: Time, x: Tensor) -> Tensor:
        """Abar_t as (b or 1, 1, 1, 1) on the device of x; below 0 it is `final_alpha_cumprod`."""
        t = torch.as_tensor(t, device=x.device).reshape(-1, 1, 1, 1)
        alphas = self.alphas_cumprod.to(x.device)[t.clamp(min=0)]
        return torch.where(t < 0, self.final_alpha_cumprod.to(x.device), alphas)

    def steps(self, n: int) -> list[tuple[int, int]]:
        """The n DDIM steps down, as pairs (t, previous): each goes from timestep t to the previous.

        n = 50: (981, 961), (961, 941), ..., (1, -19); diffusers calls this spacing "leading". Below
        0, Abar is `final_alpha_cumprod`. Inversion takes the steps the other way round.
        """
        if not 1 <= n <= self.num_train_timesteps - self.steps_offset:
            raise ValueError(f"{n} steps do not fit into {self.num_train_timesteps} timesteps")
        stride = self.num_train_timesteps // n
        timesteps = [i * stride + self.steps_offset for i in range(n)]
        return [(t, t - stride) for t in reversed(timesteps)]

    def add_noise(self, x0: Tensor, noise: Tensor, t: Time) -> Tensor:
        """x_t from clean latents and unit noise (b, c, h, w): DDPM, equation 4."""
        a = self._alpha(t, x0)
        return a.sqrt() * x0 + (1 - a).sqrt() * noise

    def target(self, x0: Tensor, noise: Tensor, t: Time) -> Tensor:
        """What the UNet should predict from x_t: the noise itself, or v."""
        if self.prediction_type == "epsilon":
            return noise.float()
        a = self._alpha(t, x0)
        return a.sqrt() * noise - (1 - a).sqrt() * x0

    def to_x0_and_noise(
        self, prediction: Tensor, x: Tensor, t: Time, x_at: Time | None = None
    ) -> tuple[Tensor, Tensor]:
        """x_0 and the noise, from the UNet's prediction for t and x, noisy as at `x_at` (or t).

        Two equations in two unknowns, which the lines below solve:

            x = sqrt(a_x) x_0 + sqrt(1 - a_x) noise
            prediction = noise, or v = sqrt(a) noise - sqrt(1 - a) x_0

        In sampling a_x = a, and c below is 1; in inversion a_x belongs to the previous timestep.
        """
        a = self._alpha(t, x)
        a_x = a if x_at is None else self._alpha(x_at, x)
        if self.prediction_type == "epsilon":
            return (x - (1 - a_x).sqrt() * prediction) / a_x.sqrt(), prediction.float()
        c = (a * a_x).sqrt() + ((1 - a) * (1 - a_x)).sqrt()
        x0 = (a.sqrt() * x - (1 - a_x).sqrt() * prediction) / c
        return x0, ((1 - a).sqrt() * x + a_x.sqrt() * prediction) / c

    def sigma(self, t: int) -> Tensor:
        """sqrt((1 - Abar) / Abar): the noise level in x_t / sqrt(Abar) = x_0 + sigma(t) noise."""
        a = self.alphas_cumprod[t] if t >= 0 else self.final_alpha_cumprod
        return ((1 - a) / a).sqrt()

    def ddim_step(self, prediction: Tensor, x: Tensor, t: Time, previous: Time) -> Tensor:
        """From x_t down to `previous`, t minus the stride: DDIM, equation 12, no random term."""
        x0, noise = self.to_x0_and_noise(prediction, x, t)
        a_prev = self._alpha(previous, x)
        return a_prev.sqrt() * x0 + (1 - a_prev).sqrt() * noise

    def ddim_invert_step(self, prediction: Tensor, x: Tensor, t: Time, previous: Time) -> Tensor:
        """From `previous` up to t: undoes `ddim_step`, given the same prediction.

        As published, the prediction is the UNet's for t and for x at `previous`, as if it were the
        same for x_t, which is not known yet.
        """
        x0, noise = self.to_x0_and_noise(prediction, x, t, x_at=previous)
        a = self._alpha(t, x)
        return a.sqrt() * x0 + (1 - a).sqrt() * noise

    def ddpm_step(
        self, prediction: Tensor, x: Tensor, t: int, previous: int, noise: Tensor
    ) -> Tensor:
        """From x_t down to `previous` with fresh unit noise: DDPM, equations 6 and 7.

        Any stride is possible. The variance is the posterior's, the smaller of the paper's two.
        Below 0 Abar is 1: the last step adds no noise.
        """
        x0, _ = self.to_x0_and_noise(prediction, x, t)
        a = self._alpha(t, x)
        a_prev = self._alpha(previous, x) if previous >= 0 else torch.ones_like(a)
        beta = 1 - a / a_prev  # 1 - the product of (1 - beta_j), previous < j <= t
        weighted = a_prev.sqrt() * beta * x0 + (1 - beta).sqrt() * (1 - a_prev) * x
        mean = weighted / (1 - a)  # equation 7
        variance = (1 - a_prev) / (1 - a) * beta
        return mean + variance.sqrt() * noise
