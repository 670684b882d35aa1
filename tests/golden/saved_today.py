"""Writes saved_today.tar.xz: a folder as diffusers and transformers of today save it.

    python tests/golden/saved_today.py

For an environment with the extras `reference`. The model is a tiny Stable Diffusion with random
weights of few different values, so that the archive is small; its tokenizer is the miniature's with
two learned words. expected.json holds prompts, their ids and the text states of the first.
"""

import io
import json
import tarfile
import tempfile
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

HERE = Path(__file__).parent
MINI = HERE.parents[1] / "weights" / "mini" / "tokenizer"
WORDS = ["<cat-toy>", "Sks Dog"]
PROMPTS = [
    "a <cat-toy> is skiing",
    "a man",
    "a <Cat-Toy>, on the moon",
    "a<cat-toy>b",
    "Sks Dog runs",
    "sks dog runs",
    "sks  dog",
    "a cat-toy",
    "a <cat-toy > or < cat-toy>",
    "<cat-toy><cat-toy>",
    "wow!",
    "",
]


def few_values(model: torch.nn.Module) -> torch.nn.Module:
    """Every weight one of three values, by chance."""
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randint(-1, 2, parameter.shape, generator=generator) / 2
    return model.half().eval()


def pipeline() -> StableDiffusionPipeline:
    tokenizer = CLIPTokenizer.from_pretrained(MINI, pad_token="!")
    tokenizer.add_tokens(WORDS)
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=4,
        intermediate_size=4,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=32,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    vae = AutoencoderKL(
        block_out_channels=[4, 4],
        norm_num_groups=2,
        down_block_types=["DownEncoderBlock2D"] * 2,
        up_block_types=["UpDecoderBlock2D"] * 2,
    )
    unet = UNet2DConditionModel(
        sample_size=8,
        block_out_channels=[4, 4],
        norm_num_groups=2,
        layers_per_block=1,
        attention_head_dim=2,
        cross_attention_dim=4,
        down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
        up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"],
    )
    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        steps_offset=1,
        set_alpha_to_one=False,
        clip_sample=False,
        prediction_type="v_prediction",
    )
    return StableDiffusionPipeline(
        vae=few_values(vae),
        text_encoder=few_values(CLIPTextModel(text)),
        tokenizer=tokenizer,
        unet=few_values(unet),
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def main() -> None:
    made = pipeline()
    tokenizer, tower = made.tokenizer, made.text_encoder
    rows = tokenizer(PROMPTS, padding="max_length", truncation=True, max_length=32)["input_ids"]
    with tempfile.TemporaryDirectory() as folder:
        made.save_pretrained(folder)
        states = tower.float()(input_ids=torch.tensor(rows[:1])).last_hidden_state[0]
        rounded = [[round(value, 5) for value in row] for row in states.tolist()]
        expected = {"prompts": PROMPTS, "ids": rows, "states": rounded}
        Path(folder, "expected.json").write_text(json.dumps(expected))
        with tarfile.open(HERE / "saved_today.tar.xz", "w:xz", preset=9) as archive:
            for file in sorted(Path(folder).rglob("*")):
                # Without date and owner, so that the same files make the same archive.
                entry = tarfile.TarInfo(str(file.relative_to(folder)))
                if file.is_file():
                    entry.size = file.stat().st_size
                    archive.addfile(entry, io.BytesIO(file.read_bytes()))
    print((HERE / "saved_today.tar.xz").stat().st_size, "bytes")


if __name__ == "__main__":
    main()
