"""The loop that trains every part of the miniature: it saves itself, and goes on where it was cut.

A run lasts so many steps: beside other work it takes longer by the clock, and still gets what it is
due. It also tells its own CPU time (on a GPU the clock's), in minutes of two cores.

On a CPU each core computes the gradients of its own part of the batch, with its own copy of the
modules but the same weights. This is faster than sharing every operation between the cores (0.95 s
instead of 1.28 for the UNet's batch of 32), and loses much less beside other work, because the
cores wait for each other once a step, not once an operation.
"""

import copy
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from unittest import mock

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

SEED = 0
CORES = 2  # of a CPU, that share a batch, and whose minutes are counted
WARM_UP = 100  # steps
AVERAGE_POWER = 17.0  # of the averaged weights: their spread is then 5 % of the run so far
SAVE_EVERY = 240  # seconds
PRINT_EVERY = 20

Numbers = dict[str, float]
Loss = Callable[[nn.Module, int, torch.Generator], tuple[Tensor, Numbers]]
MOMENTS = {"Muon": ("momentum",), "AdamW": ("exp_avg", "exp_avg_sq")}


def each_core() -> ThreadPoolExecutor:
    """A pool of as many threads as cores, each of which works on one core."""
    return ThreadPoolExecutor(CORES, initializer=torch.set_num_threads, initargs=(1,))


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal, for weights of two or more dimensions.

    Source: Jordan et al. 2024. A convolution counts as the matrix (out, 3 * 3 * in). Updates are
    scaled to AdamW's usual size (0.2 root mean square), and AdamW's learning rate serves both. Most
    matrices are too small for two cores, so each core works on matrices of its own.
    """

    def __init__(self, parameters: list[nn.Parameter], lr: float):
        super().__init__(parameters, {"lr": lr})
        self.cores = each_core()

    def step(self) -> None:
        (group,) = self.param_groups
        for p in group["params"]:
            self.state[p].setdefault("momentum", torch.zeros_like(p))
        list(self.cores.map(self.move, group["params"]))

    @torch.no_grad()
    def move(self, p: nn.Parameter) -> None:
        """The step of one parameter."""
        lr, momentum = self.param_groups[0]["lr"], self.state[p]["momentum"]
        momentum.lerp_(p.grad, 0.05)
        update = p.grad.lerp(momentum, 0.95).movedim(1, -1)  # Nesterov; channels last
        matrix = orthogonal(update.flatten(1))
        update = matrix.view(update.shape).movedim(-1, 1)
        size = 0.2 * max(matrix.shape) ** 0.5
        p.mul_(1 - 0.01 * lr).add_(update, alpha=-lr * size)


def orthogonal(g: Tensor) -> Tensor:
    """The nearest matrix with singular values of about 1, by five Newton-Schulz steps in bf16."""
    x = g.bfloat16() if len(g) <= g.shape[1] else g.T.bfloat16()
    x = x / (x.norm() + 1e-7)
    for _ in range(5):
        a = x @ x.T
        b = torch.addmm(a, a, a, beta=-4.7750, alpha=2.0315)
        x = torch.addmm(x, b, x, beta=3.4445)  # 3.4445 x + (-4.7750 a + 2.0315 a a) x
    return (x if len(g) <= g.shape[1] else x.T).to(g.dtype).contiguous()


def written_out(q: Tensor, k: Tensor, v: Tensor, is_causal: bool = False) -> Tensor:
    """Attention as its formula says it: q (..., n, e), k and v (..., l, e) -> (..., n, e)."""
    scores = q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)  # ... n l
    if is_causal:
        later = torch.ones(scores.shape[-2:], dtype=torch.bool, device=q.device).triu(1)
        scores = scores.masked_fill(later, -torch.inf)
    return scores.softmax(dim=-1) @ v


def attention_for_training(device: str):
    """Within it, attention on a CPU is `written_out`: there PyTorch's fused kernel has a backward
    pass in bf16 that takes two to twelve times as long, a sixth of the UNet's step (0.88 to
    0.73 s)."""
    if device != "cpu":
        return nullcontext()
    return mock.patch.object(F, "scaled_dot_product_attention", written_out)


class Training:
    """A run of `steps` whose learning rate, after a short warm-up, falls linearly to zero.

    Muon trains matrices and convolutions, AdamW the rest. The run delivers an average of the
    weights so far, in which step i of n has a share that grows as i^17 (Karras et al. 2024: a
    memory in proportion to the run). Parameters that need no gradient are left alone.
    `batch(share)` is the number of samples a step, when that share of the run is done.
    """

    def __init__(
        self,
        name: str,
        model: nn.Module,
        steps: int,
        lr: float,
        batch: Callable[[float], int],
        build: Path,
    ):
        self.name, self.model, self.steps, self.lr, self.batch = name, model, steps, lr, batch
        self.path = build / f"{name}.state.safetensors"
        self.log = build / f"{name}.log.jsonl"
        self.parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self.on_cpu = next(iter(self.parameters.values())).device.type == "cpu"
        self.copies = [sharing_weights(model) for _ in range(CORES if self.on_cpu else 1)]
        self.cores = each_core()
        matrices = {n for n, p in self.parameters.items() if p.ndim > 1 and "embedding." not in n}
        self.optimizers = [
            Muon([self.parameters[n] for n in self.parameters if n in matrices], lr),
            torch.optim.AdamW(
                [p for n, p in self.parameters.items() if n not in matrices],
                lr,
                betas=(0.9, 0.99),
                weight_decay=0.01,
                fused=True,
            ),
        ]
        self.average = {n: p.detach().clone() for n, p in self.parameters.items()}
        self.step, self.seconds, self.saves, self.stopped = 0, 0.0, 0, False
        if self.path.exists():
            self.load()

    @property
    def share(self) -> float:
        """How much of the run is done."""
        return self.step / self.steps

    def clock(self) -> float:
        """Seconds of two cores that this process has had so far."""
        return time.process_time() / CORES if self.on_cpu else time.perf_counter()

    def run(self, loss_of: Loss, measure: Callable[[int], Numbers] | None = None) -> None:
        """Minimise `loss_of(model, count, generator)`, the mean loss of `count` random samples,
        until the steps are done; SIGTERM saves and exits.

        `measure(saves)` is called at every save, with the averaged weights in the model; its
        numbers are printed and kept in NAME.log.jsonl. Its time does not count.
        """
        before = signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stopped", True))
        shown: Numbers = {}
        printed = saved = time.perf_counter()
        last = self.clock()
        while self.step < self.steps and not self.stopped:
            numbers = self.gradients(loss_of)
            self.update()
            now = self.clock()
            self.seconds, last = self.seconds + now - last, now
            for key, value in numbers.items():
                shown[key] = 0.98 * shown.get(key, value) + 0.02 * value
            if time.perf_counter() - printed > PRINT_EVERY:
                printed = time.perf_counter()
                self.print(shown)
            if time.perf_counter() - saved > SAVE_EVERY:
                self.save()
                self.note(shown, measure)
                saved, last = time.perf_counter(), self.clock()
        self.save()
        if self.stopped:
            print(f"{self.name}: stopped and saved at step {self.step}", flush=True)
            sys.exit(143)
        self.note(shown, measure)
        signal.signal(signal.SIGTERM, before)

    def gradients(self, loss_of: Loss) -> Numbers:
        """Leave the gradient of the mean loss in the model's parameters; return loss and numbers.

        Each copy of the model takes an equal part of the batch, with random numbers of its own.
        """

        def part(number: int) -> Numbers:
            seed = (SEED + self.step) * len(self.copies) + number
            generator = torch.Generator().manual_seed(seed)
            count = self.batch(self.share) // len(self.copies)
            loss, numbers = loss_of(self.copies[number], count, generator)
            (loss / len(self.copies)).backward()
            return {"loss": float(loss.detach()), **numbers}

        if self.on_cpu:
            found = list(self.cores.map(part, range(len(self.copies))))
        else:
            found = [part(0)]
        for name, p in self.parameters.items():
            parts = [one.get_parameter(name) for one in self.copies]
            p.grad = sum(q.grad for q in parts[1:]) + parts[0].grad
            for q in parts:
                q.grad = None
        return {key: sum(one[key] for one in found) / len(found) for key in found[0]}

    def update(self) -> None:
        """One step of both optimizers and of the average."""
        rate = self.lr * min((self.step + 1) / WARM_UP, 1 - self.share)
        nn.utils.clip_grad_norm_(self.parameters.values(), 1.0)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.step()
            optimizer.zero_grad()
        self.step += 1
        kept = (1 - 1 / self.step) ** (AVERAGE_POWER + 1)
        with torch.no_grad():
            averages, weights = list(self.average.values()), list(self.parameters.values())
            torch._foreach_lerp_(averages, weights, 1 - kept)

    def print(self, numbers: Numbers, what: str = "") -> None:
        text = "  ".join(f"{key} {value:.4f}" for key, value in numbers.items())
        minutes = f"{self.seconds / 60:6.1f} min  step {self.step}"
        print(f"{self.name} {minutes}{what}  {text}", flush=True)

    def note(self, shown: Numbers, measure: Callable[[int], Numbers] | None) -> None:
        """Print what `measure` finds, and add a line to the log."""
        numbers = {}
        if measure:
            with self.averaged():
                numbers = measure(self.saves)
            self.print(numbers, "  held out:")
        line = {"minutes": self.seconds / 60, "step": self.step, **shown, **numbers}
        with open(self.log, "a") as file:
            file.write(json.dumps({k: round(v, 5) for k, v in line.items()}) + "\n")
        self.saves += 1

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the model has its averaged weights and takes no gradients."""
        weights = {n: p.data for n, p in self.parameters.items()}
        for name, p in self.parameters.items():
            p.data = self.average[name]
        with torch.no_grad():
            yield
        for name, p in self.parameters.items():
            p.data = weights[name]

    def save(self) -> None:
        """Weights, averages and moments, then step and seconds; the file is replaced at once."""
        tensors = {}
        for name, p in self.parameters.items():
            tensors |= {f"weight/{name}": p.detach(), f"average/{name}": self.average[name]}
            for optimizer in self.optimizers:
                moments = optimizer.state.get(p, {}).items()
                tensors |= {f"{key}/{name}": v for key, v in moments if key != "step"}
        done = {"step": str(self.step), "seconds": str(self.seconds), "saves": str(self.saves)}
        part = self.path.with_suffix(".part")
        save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, part, metadata=done)
        part.replace(self.path)

    def load(self) -> None:
        """Go on from the saved state."""
        with safe_open(self.path, "pt") as file:
            names, done = set(file.keys()), file.metadata()
            self.step, self.seconds = int(done["step"]), float(done["seconds"])
            self.saves = int(done["saves"])
            for optimizer in self.optimizers:
                kinds = MOMENTS[type(optimizer).__name__]
                chosen = {id(p) for group in optimizer.param_groups for p in group["params"]}
                for name, p in self.parameters.items():
                    if id(p) not in chosen:
                        continue
                    p.data.copy_(file.get_tensor(f"weight/{name}"))
                    self.average[name].copy_(file.get_tensor(f"average/{name}"))
                    for kind in kinds:
                        if f"{kind}/{name}" in names:  # in the layout of the weights
                            moment = torch.empty_like(p).copy_(file.get_tensor(f"{kind}/{name}"))
                            optimizer.state[p][kind] = moment.detach()
                    if optimizer.state[p] and "momentum" not in kinds:
                        optimizer.state[p]["step"] = torch.tensor(float(self.step), device=p.device)
        print(f"{self.name}: goes on at step {self.step}", flush=True)

    def deliver(self) -> nn.Module:
        """The model with its averaged weights, frozen."""
        for name, p in self.parameters.items():
            p.data.copy_(self.average[name])
        return self.model.eval().requires_grad_(False)


def sharing_weights(model: nn.Module) -> nn.Module:
    """A copy of the model with the same parameters in memory, but gradients of its own."""
    same = {id(p): nn.Parameter(p.data, requires_grad=p.requires_grad) for p in model.parameters()}
    return copy.deepcopy(model, same)


def averaged(name: str, model: nn.Module, build: Path, device: str = "cpu") -> nn.Module:
    """The model as the run `name` left it (or has it by now), frozen; parameters that the run
    did not train keep their values."""
    with safe_open(build / f"{name}.state.safetensors", "pt") as file:
        mean = {k[8:]: file.get_tensor(k) for k in file.keys() if k.startswith("average/")}
    odd = model.load_state_dict(mean, strict=False).unexpected_keys
    if odd:
        raise ValueError(f"{name}: not the state of this model: {', '.join(odd[:3])}")
    return model.eval().requires_grad_(False).to(device)


def steps_of(name: str, build: Path) -> int:
    """How many steps the run `name` has done."""
    with safe_open(build / f"{name}.state.safetensors", "pt") as file:
        return int(file.metadata()["step"])


def write_state(name: str, model: nn.Module, build: Path, steps: int) -> None:
    """Write the state of a run that has done so many steps and has these weights, without moments:
    from there it goes on."""
    weights = {n: p.detach().float().contiguous() for n, p in model.named_parameters()}
    kinds = ("weight", "average")
    tensors = {f"{kind}/{n}": w.clone() for kind in kinds for n, w in weights.items()}
    done = {"step": str(steps), "seconds": "0", "saves": "0"}
    save_file(tensors, build / f"{name}.state.safetensors", metadata=done)
