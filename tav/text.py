"""Prompt -> token ids -> the text states that the UNet attends to (lesson 02).

Shapes: b prompts, l token positions (77 in Stable Diffusion), d width of a text state. Tokenizer
and text tower are CLIP's (Radford et al. 2021); attributes are named as in transformers'
`CLIPTextModel`.
"""

import warnings

import torch
import torch.nn.functional as F
from tokenizers import Regex, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as BPETokenizer
from torch import Tensor, nn

from .layers import attend

START, END = "<|startoftext|>", "<|endoftext|>"
LENGTH = 77  # CLIP's context length, unless a folder's config gives another

# What CLIP takes for a word (openai/CLIP, `SimpleTokenizer`): a special token, an English ending, a
# run of letters, one digit, or a run of other signs.
SPECIAL = r"<\|startoftext\|>|<\|endoftext\|>"
ENDING = r"'s|'t|'re|'ve|'m|'ll|'d"
WORD = SPECIAL + "|" + ENDING + r"|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


class Tokenizer:
    """CLIP's byte-level byte-pair encoding: start token, the prompt's pieces, end token, padding.

    `vocab` maps pieces to ids, `merges` lists the pairs to join, most frequent first. Every row is
    padded or cut to `length`. SD 1 pads with the end token, SD 2 with "!"; there a "!" in a prompt
    ("wow!") becomes the padding token too.
    """

    def __init__(
        self, vocab: dict[str, int], merges: list[tuple], length: int = LENGTH, pad: str = END
    ):
        missing = {START, END, pad} - vocab.keys()
        if missing:
            raise ValueError(f"the vocabulary lacks {', '.join(sorted(missing))}")
        bpe = BPETokenizer(models.BPE(vocab, merges, unk_token=END, end_of_word_suffix="</w>"))
        one_space = normalizers.Replace(Regex(r"\s+"), " ")
        cleaning = [normalizers.NFC(), one_space, normalizers.Lowercase()]
        bpe.normalizer = normalizers.Sequence(cleaning)
        # Inverted: what lies between two words is removed.
        words = pre_tokenizers.Split(Regex(WORD), behavior="removed", invert=True)
        in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        bpe.pre_tokenizer = pre_tokenizers.Sequence([words, in_bytes])
        bpe.add_special_tokens([START, END, pad])
        self.bpe, self.length = bpe, length
        self.start, self.end, self.pad = vocab[START], vocab[END], vocab[pad]

    def __call__(self, prompts: str | list[str]) -> Tensor:
        """Token ids (b, l). Warns with the words that did not fit when a prompt is too long."""
        prompts = [prompts] if isinstance(prompts, str) else prompts
        rows = [self._fit(prompt) for prompt in prompts]
        return torch.tensor([row + [self.pad] * (self.length - len(row)) for row in rows])

    def pieces(self, prompt: str) -> list[str]:
        """What each position of the row stands for, without padding: start, "a</w>", ..., end."""
        return [self.bpe.id_to_token(i) for i in self._fit(prompt)]

    def _fit(self, prompt: str) -> list[int]:
        """The prompt's ids between start and end, cut to the length; not padded."""
        encoding = self.bpe.encode(prompt, add_special_tokens=False)
        room = self.length - 2
        if len(encoding.ids) > room:
            # The first token of the first word that does not fit whole.
            first = encoding.word_ids.index(encoding.word_ids[room])
            cut = " ".join(prompt[encoding.offsets[first][0] :].split())
            excess = f"{len(encoding.ids)} tokens and the text encoder reads {room}"
            warnings.warn(f'the prompt has {excess}; cut: "{cut}"', stacklevel=3)
        return [self.start, *encoding.ids[:room], self.end]


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), OpenAI's approximation of gelu; SD 2's OpenCLIP has the exact one."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS = {"quick_gelu": quick_gelu, "gelu": F.gelu}


class CLIPAttention(nn.Module):
    """Multi-head self-attention of x (b, l, d); if `causal`, no token sees a later one."""

    def __init__(self, dim: int, heads: int, causal: bool):
        super().__init__()
        self.heads, self.causal = heads, causal
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.out_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.q_proj(x), self.k_proj(x), self.v_proj(x)
        return self.out_proj(attend(q, k, v, self.heads, self.causal))


class CLIPMLP(nn.Module):
    """Two linear layers with an activation between; `act` is a key of ACTIVATIONS."""

    def __init__(self, dim: int, hidden: int, act: str):
        super().__init__()
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)
        self.act = ACTIVATIONS[act]

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(self.act(self.fc1(x)))


class CLIPLayer(nn.Module):
    """Attention and an MLP on x (b, l, d), each with a LayerNorm (eps 1e-5) and a residual."""

    def __init__(self, dim: int, hidden: int, heads: int, act: str, causal: bool):
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(dim)
        self.self_attn = CLIPAttention(dim, heads, causal)
        self.layer_norm2 = nn.LayerNorm(dim)
        self.mlp = CLIPMLP(dim, hidden, act)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class CLIPEncoder(nn.Module):
    """Layers, (b, l, d) -> (b, l, d): causal for texts, but not for images (`metrics.py`)."""

    def __init__(self, layers: int, dim: int, hidden: int, heads: int, act: str, causal: bool):
        super().__init__()
        self.layers = nn.ModuleList()
        for _ in range(layers):
            self.layers.append(CLIPLayer(dim, hidden, heads, act, causal))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class CLIPTextEmbeddings(nn.Module):
    """Token ids (b, l) -> x (b, l, d): a vector for each token plus one for its position."""

    def __init__(self, vocab_size: int, dim: int, length: int):
        super().__init__()
        self.token_embedding = nn.Embedding(vocab_size, dim)
        self.position_embedding = nn.Embedding(length, dim)

    def forward(self, ids: Tensor) -> Tensor:
        positions = self.position_embedding.weight[: ids.shape[1]]  # l d
        return self.token_embedding(ids) + positions


class CLIPTextTransformer(nn.Module):
    """Embeddings, encoder, final LayerNorm: token ids (b, l) -> states (b, l, d)."""

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
        dim, hidden, heads = hidden_size, intermediate_size, num_attention_heads
        self.embeddings = CLIPTextEmbeddings(vocab_size, dim, max_position_embeddings)
        self.encoder = CLIPEncoder(num_hidden_layers, dim, hidden, heads, hidden_act, causal=True)
        self.final_layer_norm = nn.LayerNorm(dim)

    def forward(self, ids: Tensor) -> Tensor:
        return self.final_layer_norm(self.encoder(self.embeddings(ids)))


class CLIPTextModel(nn.Module):
    """CLIP's text tower. Token ids (b, l) -> states (b, l, d), after the final LayerNorm.

    `config` holds the keys of its config.json, which are the arguments of `CLIPTextTransformer`.
    The names of all tensors in its files begin with `text_model`. SD 1 has OpenAI's ViT-L/14: 12
    layers, d = 768, `quick_gelu`. SD 2 has 23 of the 24 layers of OpenCLIP's ViT-H/14: d = 1024,
    `gelu`.
    """

    def __init__(self, **config: int | str):
        super().__init__()
        self.text_model = CLIPTextTransformer(**config)

    def forward(self, ids: Tensor) -> Tensor:
        return self.text_model(ids)
