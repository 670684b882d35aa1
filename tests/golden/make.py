"""Writes the golden tensors that tests/ compares tav with; run it with the reference libraries
installed.

    python tests/golden/make.py

Every model is the reference's own class, scaled down, with random weights (norms and biases too, so
that no two tensors could be exchanged unnoticed). The weights are rounded to fp16, and run in fp32:
half the bytes hold them exactly. In a file, `weights.*` is the state dict under its published
names, `in.*` and `out.*` are inputs and the reference's outputs; sizes.json holds the arguments of
tav's constructors.
"""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DDPMScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import (
    CLIPConfig,
    CLIPImageProcessorPil,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTokenizer,
)

HERE = Path(__file__).parent
TOKENIZER = HERE.parents[1] / "tav" / "io" / "clip-tokenizer"
SCALING = 0.18215

TEXT = {
    "vocab_size": 200,
    "hidden_size": 32,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "max_position_embeddings": 77,
}
TEXTS = {
    "text_quick_gelu": dict(TEXT, num_hidden_layers=3, hidden_act="quick_gelu"),
    "text_gelu": dict(TEXT, num_hidden_layers=2, hidden_act="gelu"),
}
VAE = {
    "block_out_channels": [8, 16, 16],
    "layers_per_block": 2,
    "norm_num_groups": 4,
    "scaling_factor": 0.18215,
}
UNET = {
    "block_out_channels": [8, 16, 16],
    "layers_per_block": 2,
    "cross_attention_dim": 12,
    "norm_num_groups": 4,
}
DOWN = ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"]
UP = ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"]
UNETS = {  # name: (tav's own arguments, diffusers' own arguments)
    "unet_sd1": ({"heads": [4, 4, 4]}, {"attention_head_dim": 4}),
    "unet_sd2": (
        {"heads": [2, 4, 4]},
        {"attention_head_dim": [2, 4, 4], "use_linear_projection": True},
    ),
}
CLIP = {
    "text": dict(
        TEXT, vocab_size=514, num_hidden_layers=2
    ),  # 256 bytes, alone and at a word's end, start and end
    "vision": {
        "hidden_size": 24,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "image_size": 16,
        "patch_size": 4,
    },
    "width": 20,
}
# Height and width of frames: no resizing; only cropping, with an odd rest; smaller, wide and high;
# larger, with
# an odd rest; a scale of 16/49, which is not quite that in floating point (49 * (16 / 49) < 16).
FRAMES = [(16, 16), (16, 19), (37, 50), (53, 41), (9, 12), (49, 49)]
SCHEDULE = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
}

PROMPTS = [
    "",
    " ",
    "a man is skiing",
    "A Man Is SKIING",
    "a photo of a cat",
    "  a   photo\tof\na\r\ncat  ",
    "Spider Man is skiing on the beach, cartoon style",
    "wow!",
    "wow!!! really?! yes...",
    "don't can't we'll they're I've I'm he'd it's 'tis rock'n'roll",
    "the dog's bone and the dogs' bones",
    "it’s a “quoted” word – and—a dash…",
    "1 22 333 4444",
    "3.14159, -2e10, 50%, $99.99, 7th, 2nd",
    "4k 8K HDR f/1.8 ISO100 1920x1080",
    "café naïve façade Ångström Zürich São Paulo",
    "cafe\u0301 nai\u0308ve (combining accents)",
    "İstanbul ISPARTA ıĞğŞş",
    "STRASSE straße ẞ",
    "Ελληνικά ΟΔΥΣΣΕΥΣ",
    "мужчина катается на лыжах",
    "一个男人在滑雪",
    "スキーをする男",
    "남자가 스키를 타고 있다",
    "رجل يتزلج على الجليد",
    "आदमी स्कीइंग कर रहा है",
    "½ ² ⅷ ٣ १२ Ⅻ",
    "😀 a man ⛷️ skiing 👩‍🚀 🏳️‍🌈",
    "no\u00a0break\u2003space\u3000wide\u200bzero",
    "under_score hyphen-ated slash/ed back\\slash",
    "http://example.org/?q=a&b=c#d",
    "user@example.org @artist #hashtag",
    "((masterpiece)), [best quality], {detailed:1.2}, <lora:x:0.8>",
    "a <|endoftext|> inside",
    "<|startoftext|>a cat<|endoftext|>",
    "pneumonoultramicroscopicsilicovolcanoconiosis",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "a painting of a man skiing down a mountain, " * 12,
    "一个男人在滑雪" * 20,
    "x\x00y\x07z \ufeff \ufffd",
]


def randomize(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Random weights, in place, of a size that keeps activations near 1; returns them in fp16."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, p in model.named_parameters():
        noise = torch.randn(p.shape, generator=generator)
        if p.dim() > 1:
            value = noise * (0.5 if "embedding.weight" in name else p[0].numel() ** -0.5)
        else:
            value = 0.2 * noise + (1.0 if "norm" in name and name.endswith("weight") else 0.0)
        if name == "encoder.conv_in.weight" or name == "encoder.conv_in.bias":
            value = value * 0.02  # a faint signal, so that the VAE's eps matters to the first norm
        weights[name] = value.half()
        p.data.copy_(weights[name])
    model.eval().requires_grad_(False)
    return weights


def save(
    name: str, weights: dict[str, Tensor], inputs: dict[str, Tensor], outputs: dict[str, Tensor]
) -> None:
    tensors = {}
    for kind, group in (("weights", weights), ("in", inputs), ("out", outputs)):
        tensors |= {f"{kind}.{key}": value.contiguous() for key, value in group.items()}
    save_file(tensors, HERE / f"{name}.safetensors")


def noise(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def text() -> dict:
    for seed, (name, sizes) in enumerate(TEXTS.items()):
        model = CLIPTextModel(CLIPTextConfig(**sizes))
        weights = randomize(model, seed)
        published = {
            ("" if n.startswith("text_model.") else "text_model.") + n: w
            for n, w in weights.items()
        }
        ids = torch.randint(
            TEXT["vocab_size"], (2, 77), generator=torch.Generator().manual_seed(seed)
        )
        save(name, published, {"ids": ids}, {"states": model(input_ids=ids).last_hidden_state})
    return TEXTS


def vae() -> dict:
    types = {
        "down_block_types": ["DownEncoderBlock2D"] * 3,
        "up_block_types": ["UpDecoderBlock2D"] * 3,
    }
    model = AutoencoderKL(**VAE, **types)
    weights = randomize(model, 10)
    frames, latents, features = (
        noise(2, 3, 20, 28, seed=11),
        noise(2, 4, 5, 7, seed=12),
        noise(2, 16, 5, 7, seed=13),
    )
    posterior = model.encode(frames).latent_dist
    outputs = {
        "mean": posterior.mean * SCALING,
        "std": posterior.std * SCALING,
        "decoded": model.decode(latents / SCALING).sample,
        "attention": model.encoder.mid_block.attentions[0](features),
    }
    save("vae", weights, {"frames": frames, "latents": latents, "features": features}, outputs)
    return {"vae": VAE}


def unet() -> dict:
    sizes = {}
    for seed, (name, (ours, theirs)) in enumerate(UNETS.items(), start=20):
        model = UNet2DConditionModel(**UNET, **theirs, down_block_types=DOWN, up_block_types=UP)
        weights = randomize(model, seed)
        x, states, t = (
            noise(2, 4, 8, 12, seed=seed),
            noise(2, 9, 12, seed=seed + 1),
            torch.tensor([981, 41]),
        )
        output = model(x, t, encoder_hidden_states=states).sample
        save(name, weights, {"x": x, "t": t, "text": states}, {"prediction": output})
        sizes[name] = dict(UNET, **ours, attentive=[True, True, False])
    return sizes


def metrics() -> dict:
    # Pillow's bicubic, as in OpenAI's own code; transformers' other image processor resizes with
    # torchvision.
    processor = CLIPImageProcessorPil(
        size={"shortest_edge": 16}, crop_size={"height": 16, "width": 16}
    )
    ids = torch.randint(512, (3, 77), generator=torch.Generator().manual_seed(40))
    for row, end in enumerate((5, 30, 76)):
        ids[row, end] = 513  # the first of them counts
        ids[row, end + 1 :: 2] = 513
    inputs, outputs, generator = {"ids": ids}, {}, torch.Generator().manual_seed(41)
    for h, w in FRAMES:
        frames = torch.randint(256, (2, 3, h, w), dtype=torch.uint8, generator=generator)
        inputs[f"frames.{h}x{w}"] = frames
        outputs[f"pixels.{h}x{w}"] = processor(list(frames), return_tensors="pt").pixel_values
    pixels = torch.cat(list(outputs.values()))
    for act in ("quick_gelu", "gelu"):
        text = dict(CLIP["text"], hidden_act=act, eos_token_id=513)
        vision = dict(CLIP["vision"], hidden_act=act)
        model = CLIPModel(
            CLIPConfig(text_config=text, vision_config=vision, projection_dim=CLIP["width"])
        )
        weights = randomize(model, 42)
        out = model(input_ids=ids, pixel_values=pixels)
        outputs |= {
            f"{act}.pictures": out.image_embeds,
            f"{act}.texts": out.text_embeds,
            f"{act}.logits": out.logits_per_image,
        }
    save("metrics", weights, inputs, outputs)
    return {"metrics": CLIP}


def schedule() -> dict:
    x, prediction = noise(2, 4, 3, 5, seed=30), noise(2, 4, 3, 5, seed=31)
    fresh = torch.randn(x.shape, generator=torch.Generator().manual_seed(32))
    outputs, grids = {}, {}
    for kind in ("epsilon", "v_prediction"):
        ddim = DDIMScheduler(
            **SCHEDULE, prediction_type=kind, set_alpha_to_one=False, clip_sample=False
        )
        ddpm = DDPMScheduler(**SCHEDULE, prediction_type=kind, clip_sample=False)
        for steps in (10, 20, 50, 200):
            ddim.set_timesteps(steps)
            grids[steps] = ddim.timesteps.tolist()
        for scheduler in (ddim, ddpm):
            scheduler.set_timesteps(50)
        for t in (981, 501, 21, 1):
            outputs[f"ddim.{kind}.{t}"] = ddim.step(prediction, t, x).prev_sample
            outputs[f"ddim_eta.{kind}.{t}"] = ddim.step(
                prediction, t, x, eta=0.6, variance_noise=fresh
            ).prev_sample
            again = torch.Generator().manual_seed(32)  # draws `fresh`
            outputs[f"ddpm.{kind}.{t}"] = ddpm.step(prediction, t, x, generator=again).prev_sample
    times = torch.tensor([981, 1])
    outputs["noisy"] = ddim.add_noise(x, fresh, times)
    outputs["velocity"] = ddim.get_velocity(x, fresh, times)
    outputs["alphas_cumprod"] = ddim.alphas_cumprod
    outputs["alphas_cumprod_linear"] = DDIMScheduler(
        **SCHEDULE | {"beta_schedule": "linear"}
    ).alphas_cumprod
    inputs = {"x": x, "prediction": prediction, "noise": fresh, "t": times}
    save("schedule", {}, inputs, outputs)
    return {"timesteps": grids}


def tokens() -> None:
    rows = []
    for pad in ("<|endoftext|>", "!"):
        tokenizer = CLIPTokenizer.from_pretrained(TOKENIZER, pad_token=pad)
        ids = tokenizer(PROMPTS, padding="max_length", truncation=True, max_length=77)["input_ids"]
        rows.append(ids)
    lines = [
        json.dumps({"prompt": p, "sd1": a, "sd2": b})
        for p, a, b in zip(PROMPTS, *rows, strict=True)
    ]
    (HERE / "tokens.json").write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    torch.set_num_threads(1)
    sizes = text() | vae() | unet() | schedule() | metrics()
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sizes.items()]
    (HERE / "sizes.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")
    tokens()
    print(f"{sum(f.stat().st_size for f in HERE.iterdir() if f.is_file()) / 1e6:.2f} MB")
