"""The denoiser's training data holds looks and scenes with a verb beside plain drawings."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

from lora.data.captions import encode
from lora.pretrain import variants
from lora.pretrain.acts.act import Source
from lora.pretrain.acts.pool import Pool, Rows, Wanted, make
from lora.pretrain.captions import styled
from lora.pretrain.looks import Look
from lora.pretrain.variants import Variants, Vocabulary
from tests.lora.pretrain.small_set import CONCEPTS, DRAWINGS, PICTURES
from tests.waiting import until

VOCABULARY = Vocabulary(torch.tensor(sorted(set(encode("a bear holding outline, banana sad happy")))))
USED = [0, 1, 7, 9]  # bear, banana, hot beverage, skateboard


@pytest.fixture
def file(tmp_path: Path) -> Path:
    pictures = torch.from_numpy(np.stack(list(PICTURES.values()))).permute(0, 3, 1, 2).contiguous()
    save_file({"pictures": pictures}, tmp_path / "drawings.safetensors")
    return tmp_path / "drawings.safetensors"


def test_other_processes_make_the_same_pictures_in_order(file: Path) -> None:
    concepts = [CONCEPTS[at] for at in USED]
    outlined = Look(layers=(("outline", "thick black"),), seed=1)
    wanted = [Wanted(row=at % 4, look=outlined if at % 2 else None) for at in range(40)]
    pool = Pool([file], USED, concepts, wanted, share=64)
    taken: list[np.ndarray] = []
    until(lambda: taken_all(pool, taken, len(wanted)))
    made = np.concatenate(taken)
    source = Source(Rows([file], USED), concepts)
    assert made.shape == (40, 4, 256, 256)
    for at in (0, 1, 35, 39):
        assert np.array_equal(made[at], make(wanted[at], source))
    assert np.array_equal(made[6].transpose(1, 2, 0), PICTURES["hot beverage"])


def test_rows_of_several_files_follow_each_other(file: Path) -> None:
    rows = Rows([file, file], [1, len(CONCEPTS) + 2])
    assert np.array_equal(rows(0), PICTURES["banana"])
    assert np.array_equal(rows(1), PICTURES["ghost"])


def taken_all(pool: Pool, taken: list[np.ndarray], count: int) -> bool:
    if (made := pool.take(1)) is not None:
        taken.append(made)
    return sum(len(part) for part in taken) == count


class InThisProcess:
    """Stands for the pool: the same pictures, without other processes."""

    def __init__(
        self, files: list[Path], used: list[int], concepts: list[str], wanted: list[Wanted], *, share: int
    ) -> None:
        source = Source(Rows(files, used), concepts)
        self.made = [make(one, source) for one in wanted]

    def take(self, most: int) -> np.ndarray | None:
        made, self.made = self.made[:most], self.made[most:]
        return np.stack(made) if made else None


@pytest.fixture
def made(file: Path, monkeypatch: pytest.MonkeyPatch) -> Variants:
    """Four drawings, each in ten variants, of which six are made on the device."""
    monkeypatch.setattr(variants, "KINDS", ["plain", "look", "acted", "coloured", "pair"])
    monkeypatch.setattr(variants, "Pool", InThisProcess)
    monkeypatch.setattr(variants, "FEW", 1)
    torch.manual_seed(0)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 4, 4),
        latent_channels=8,
        norm_num_groups=2,
    ).eval()
    drawings = [DRAWINGS[at] for at in USED]
    made = Variants(
        drawings, VOCABULARY, vae, torch.Generator().manual_seed(0), 0, files=[file], used=USED, times=2
    )
    pictures = torch.from_numpy(np.stack([PICTURES[CONCEPTS[at]] for at in USED])).permute(0, 3, 1, 2)
    made.draw(pictures)
    return made


def test_every_kind_of_variant_gets_latents_and_captions(made: Variants) -> None:
    assert made.ready == 4 * 6
    device_made = distinct(made)
    assert made.take(5) == 5
    while made.take(5):
        pass
    assert made.ready == 4 * 10
    assert len(device_made) < len(distinct(made)) == 4 * 10
    latents, ids = made.batch(3, torch.Generator().manual_seed(1))
    assert latents.shape == (3, 8, 32, 32)
    assert latents.isfinite().all()
    assert ids.shape == (3, 77)


class Seen(TorchDispatchMode):
    """The names of the operations within it, of those with a mask as an index beside it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        indices = args[1] if "index" in str(op) and isinstance(args[1], list) else []
        masks = [one for one in indices if one is not None and one.dtype == torch.bool]
        self.names.add(f"{op} by a mask" if masks else str(op))
        return op(*args, **(kwargs or {}))


def test_nothing_waits_for_a_gpu_that_encodes(made: Variants, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a mask is true and what number a tensor holds, only the GPU knows, once it has done what is queued."""
    encoded, seen = made._encode, Seen()

    def watched(*given: Any) -> None:
        with seen:
            encoded(*given)

    monkeypatch.setattr(made, "_encode", watched)
    assert made.take(5) == 5
    assert {"aten.convolution.default", "aten.index.Tensor"} <= seen.names
    waiting = ("mask", "nonzero", "_local_scalar_dense")
    assert not {name for name in seen.names if any(one in name for one in waiting)}


def test_each_ready_variant_is_of_its_group(made: Variants) -> None:
    """Group by group, as the shares of a batch ask for them; none twice."""
    while made.take(5):
        pass
    for number, cells in enumerate(made._ready):
        for cell in cells.tolist():
            place, variant = divmod(cell, len(made._kinds))
            assert variants.group(made._planned[place][variant]) == number
    assert torch.cat(made._ready).sort().values.tolist() == list(range(4 * 10))


def test_only_captions_of_scenes_without_a_verb_lose_words(
    made: Variants, monkeypatch: pytest.MonkeyPatch
) -> None:
    while made.take(5):
        pass
    monkeypatch.setattr(variants, "TOKEN_DROPOUT", 1)
    bos, eos = VOCABULARY.rows("", 2)
    wordless = wordy = 0
    for number in range(20):
        _, ids = made.batch(40, torch.Generator().manual_seed(number))
        known = ((ids != bos) & (ids != eos) & (ids != 0)).any(dim=1)
        wordless, wordy = wordless + int((~known).sum()), wordy + int(known.sum())
    assert wordless >= 20 * 40 * variants.SHARES[0]
    assert wordy > 0


def distinct(made: Variants) -> set[bytes]:
    """The latents that many batches have."""
    generator = torch.Generator().manual_seed(2)
    return {one.numpy().tobytes() for _ in range(20) for one in made.batch(40, generator)[0]}


def test_processes_that_train_together_have_all_rows() -> None:
    parts = [variants.part(10, rank, 4) for rank in range(4)]
    assert {len(one) for one in parts} == {3}
    assert sorted({row for one in parts for row in one}) == list(range(10))


def test_a_look_is_always_said() -> None:
    rng = Random(0)
    look = Look(layers=(("pastel", ""),), seed=0)
    captions = [styled("noto", "cat", "white", rng, look) for _ in range(40)]
    assert all("pastel" in caption for caption in captions)
    assert 5 < sum("noto" in caption for caption in captions) < 30
