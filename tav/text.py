"""Prompt -> token ids -> the text states that the UNet attends to (lesson 02).

Shapes: b prompts, l token positions (77 in Stable Diffusion), d width of a text state. Tokenizer
and text tower are CLIP's (Radford et al. 2021); parameter names are those of transformers'
`CLIPTextModel`.
"""

import json
import warnings
from pathlib import Path

import torch
import torch.nn.functional as F
from tokenizers import Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as BPETokenizer
from torch import Tensor, nn

from .layers import attend

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77  # CLIP's context length, where a folder names none

# A word for CLIP (openai/CLIP, `SimpleTokenizer`): a special token, an English ending, letters, one
# digit, others.
WORD = (
    r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
)


class Tokenizer:
    """CLIP's byte-level byte-pair encoding: start token, the prompt's pieces, end token, padding.

    `vocab` maps pieces to ids, `merges` lists the pairs to join, most frequent first. Every row is
    padded or cut to `length`. SD 1 pads with the end token, 2 with "!", which then has the
    padding's id in a prompt too ("wow!").
    """

    def __init__(
        self,
        vocab: dict[str, int],
        merges: list[tuple[str, str]],
        length: int = LENGTH,
        pad: str = END,
    ):
        if missing := {START, END, pad} - vocab.keys():
            raise ValueError(f"the vocabulary lacks {', '.join(sorted(missing))}")
        bpe = BPETokenizer(models.BPE(vocab, merges, unk_token=END, end_of_word_suffix="</w>"))
        one_blank = normalizers.Replace(Regex(r"\s+"), " ")
        bpe.normalizer = normalizers.Sequence(
            [normalizers.NFC(), one_blank, normalizers.Lowercase()]
        )
        words = pre_tokenizers.Split(
            Regex(WORD), behavior="removed", invert=True
        )  # removed: what is no word
        in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        bpe.pre_tokenizer = pre_tokenizers.Sequence([words, in_bytes])
        bpe.add_special_tokens([START, END, pad])
        self.bpe, self.length = bpe, length
        self.start, self.end, self.pad = vocab[START], vocab[END], vocab[pad]

    @classmethod
    def load(cls, folder: str | Path) -> "Tokenizer":
        """The tokenizer of a folder: vocab.json, merges.txt, and two files of settings that may
        lack."""
        folder = Path(folder)
        vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").split("\n")
        merges = [tuple(line.split()) for line in lines if line and not line.startswith("#version")]
        settings = {}
        for name in ("tokenizer_config.json", "special_tokens_map.json"):  # the later one wins
            if (folder / name).exists():
                settings |= json.loads((folder / name).read_text(encoding="utf-8"))
        pad = settings.get("pad_token") or END
        pad = pad["content"] if isinstance(pad, dict) else pad
        return cls(vocab, merges, settings.get("model_max_length") or LENGTH, pad)

    def __call__(self, prompts: str | list[str]) -> Tensor:
        """Token ids (b, l). Warns with the words that did not fit when a prompt is too long."""
        rows = [
            self._fit(prompt) for prompt in ([prompts] if isinstance(prompts, str) else prompts)
        ]
        return torch.tensor([row + [self.pad] * (self.length - len(row)) for row in rows])

    def pieces(self, prompt: str) -> list[str]:
        """What each position of the row stands for, padding left out: start, "a</w>", "cat</w>",
        ..., end."""
        return [self.bpe.id_to_token(i) for i in self._fit(prompt)]

    def _fit(self, prompt: str) -> list[int]:
        encoding, room = self.bpe.encode(prompt, add_special_tokens=False), self.length - 2
        if len(encoding.ids) > room:
            first = encoding.word_ids.index(
                encoding.word_ids[room]
            )  # a word cut in the middle counts as cut
            cut = " ".join(prompt[encoding.offsets[first][0] :].split())
            message = f'the prompt has {len(encoding.ids)} tokens and the text encoder reads {room}; cut: "{cut}"'
            warnings.warn(message, stacklevel=3)
        return [self.start, *encoding.ids[:room], self.end]


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x): the approximation that OpenAI trained CLIP with. OpenCLIP has the exact
    gelu."""
    return x * torch.sigmoid(1.702 * x)


class CLIPAttention(nn.Module):
    """Multi-head self-attention of x (b, l, d); if `causal`, no token sees a later one."""

    def __init__(self, dim: int, heads: int, causal: bool):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(dim, dim) for _ in range(4)
        )

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        return self.out_proj(attend(q, k, v, self.heads, self.causal))


class CLIPLayer(nn.Module):
    """Attention and a two-layer MLP (`act`: "quick_gelu" or "gelu"), each behind a LayerNorm (eps
    1e-5)."""

    def __init__(self, dim: int, hidden: int, heads: int, act: str, causal: bool):
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(dim)
        self.self_attn = CLIPAttention(dim, heads, causal)
        self.layer_norm2 = nn.LayerNorm(dim)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(dim, hidden), "fc2": nn.Linear(hidden, dim)})
        self.act = {"quick_gelu": quick_gelu, "gelu": F.gelu}[act]

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp["fc2"](self.act(self.mlp["fc1"](self.layer_norm2(x))))


class CLIPEncoder(nn.Sequential):
    """A stack of layers, (b, l, d) -> (b, l, d): causal in the text tower, not in the image tower."""

    def __init__(self, layers: int, dim: int, hidden: int, heads: int, act: str, causal: bool):
        super().__init__()
        self.layers = nn.Sequential(
            *(CLIPLayer(dim, hidden, heads, act, causal) for _ in range(layers))
        )


class CLIPTextModel(nn.Module):
    """CLIP's text tower. Token ids (b, l) -> states (b, l, d), after the final LayerNorm.

    SD 1: OpenAI's ViT-L/14, 12 layers, d = 768, `quick_gelu`. SD 2: 23 of OpenCLIP's ViT-H/14's 24,
    d = 1024, `gelu`.
    """

    def __init__(
        self,
        vocab_size: int,
        hidden_size: int,
        intermediate_size: int,
        num_hidden_layers: int,
        num_attention_heads: int,
        max_position_embeddings: int = LENGTH,
        hidden_act: str = "quick_gelu",
    ):
        super().__init__()
        table = {"token_embedding": nn.Embedding(vocab_size, hidden_size)}
        table["position_embedding"] = nn.Embedding(max_position_embeddings, hidden_size)
        sizes = (num_hidden_layers, hidden_size, intermediate_size, num_attention_heads, hidden_act)
        parts = {"embeddings": nn.ModuleDict(table), "encoder": CLIPEncoder(*sizes, causal=True)}
        self.text_model = nn.ModuleDict(parts | {"final_layer_norm": nn.LayerNorm(hidden_size)})

    def forward(self, ids: Tensor) -> Tensor:
        table = self.text_model["embeddings"]
        x = table["token_embedding"](ids) + table["position_embedding"].weight[: ids.shape[1]]
        return self.text_model["final_layer_norm"](self.text_model["encoder"](x))
