"""Slots compute what PEFT computes, for every picture of a batch its own adapter; files become slots by copies."""

import json
from collections.abc import Iterator

import pytest
import torch
from safetensors.torch import load, save
from torch import Tensor

from lora.adapters import lora_layers, slot_bank
from lora.adapters.adapter_file import AdapterInfo, read_header
from lora.adapters.slot_bank import DoesNotFit, SlotBank, content_of
from lora.adapters.slots import SlottedDenoiser
from lora.jobs import JobError
from lora.models.base_model import Base

ALL = "attention+ff+conv"


_made: dict[object, bytes] = {}


def file(base: Base, seed: int, *, rank: int = 4, alpha: float = 8.0, targets: str = ALL) -> bytes:
    """An adapter with random weights, as strong as trained ones. The same one is made once."""
    key = (base.hash, seed, rank, alpha, targets)
    if key in _made:
        return _made[key]
    about = AdapterInfo(
        keyword="zorvex", base=base.name, base_hash=base.hash, rank=rank, alpha=alpha, steps=7, seed=seed,
        background="green", targets=targets,
    )  # fmt: skip
    weights = lora_layers.add(base, "made", rank=rank, alpha=alpha, seed=seed, targets=targets)
    generator = torch.Generator().manual_seed(seed)
    for weight in weights:
        weight.data = torch.randn(weight.shape, generator=generator) * 0.1
    try:
        return _made.setdefault(key, lora_layers.save_adapter(base, "made", about))
    finally:
        lora_layers.remove(base, "made")


def batch(base: Base, count: int) -> tuple[Tensor, Tensor, Tensor]:
    noisy = torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    return noisy, torch.tensor([500]), base.embed(["a cat", "a dog", "a hat", "a car"][:count])


@torch.no_grad()
def with_peft(
    base: Base, data: bytes | None, noisy: Tensor, t: Tensor, texts: Tensor, strength: float = 1.0
) -> Tensor:
    lora_layers.use_file(base, data)
    lora_layers.set_strength(base, strength)
    return base.unet(noisy, t, encoder_hidden_states=texts).sample


@pytest.fixture
def bank(base: Base) -> Iterator[SlotBank]:
    lora_layers.activate(base, None)
    before = base.unet(*batch(base, 1)[:2], encoder_hidden_states=batch(base, 1)[2]).sample.detach()
    yield SlotBank(base, SlottedDenoiser(base.unet, rank=8, targets=ALL), slots=4, groups=4)
    lora_layers.activate(base, None)
    after = base.unet(*batch(base, 1)[:2], encoder_hidden_states=batch(base, 1)[2]).sample.detach()
    assert torch.equal(before, after)


@torch.no_grad()
def test_each_picture_of_a_batch_has_its_own_adapter(base: Base, bank: SlotBank) -> None:
    """Ranks, alphas and layers differ, one has none, strengths differ: each is what PEFT alone computes."""
    people = [
        file(base, 1, rank=4, alpha=8),
        None,
        file(base, 2, rank=8, alpha=3, targets="attention"),
        file(base, 3, rank=2, alpha=2, targets="attention+ff"),
    ]
    strengths = [1.0, 1.0, 0.5, 2.0]
    noisy, t, texts = batch(base, 4)
    bank.use([one.slot for one in bank.load(people)], strengths)
    bank.denoiser.use_groups(4)
    together = bank.denoiser.unet(noisy, t, encoder_hidden_states=texts).sample
    bare = with_peft(base, None, noisy, t, texts)
    for i, data in enumerate(people):
        alone = with_peft(base, data, noisy[i : i + 1], t, texts[i : i + 1], strengths[i])
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-5, rtol=1e-4)
        assert ((together[i] - bare[i]).abs().max() > 0.01) == (data is not None)


@torch.no_grad()
def test_a_group_may_hold_several_pictures(base: Base, bank: SlotBank) -> None:
    """Guidance shows a picture twice, and a training several pictures, to one adapter."""
    people = [file(base, 1), file(base, 2)]
    noisy, t, texts = batch(base, 4)
    bank.use([one.slot for one in bank.load(people)], [1.0, 1.0])
    bank.denoiser.use_groups(2)
    together = bank.denoiser.unet(noisy, t, encoder_hidden_states=texts).sample
    for i, data in enumerate(people):
        pair = slice(2 * i, 2 * i + 2)
        alone = with_peft(base, data, noisy[pair], t, texts[pair])
        torch.testing.assert_close(together[pair], alone, atol=2e-5, rtol=1e-4)


@torch.no_grad()
def test_an_adapter_can_be_merged_into_weights_of_its_own(base: Base, bank: SlotBank) -> None:
    """Where a whole batch has one adapter, adding it to copies of the weights computes the same."""
    data = file(base, 1)
    bank.use([bank.load([data])[0].slot], [0.7])
    weights = bank.denoiser.merged_weights()
    bank.denoiser.use_merged(weights)
    bank.denoiser.merge()
    noisy, t, texts = batch(base, 2)
    merged = bank.denoiser.unet(noisy, t, encoder_hidden_states=texts).sample
    torch.testing.assert_close(merged, with_peft(base, data, noisy, t, texts, 0.7), atol=2e-5, rtol=1e-4)
    bank.denoiser.use_merged(None)
    bank.denoiser.use_groups(0)
    plain = bank.denoiser.unet(noisy, t, encoder_hidden_states=texts).sample
    assert torch.equal(plain, with_peft(base, None, noisy, t, texts))


@torch.no_grad()
def test_each_picture_can_have_weights_of_its_own(base: Base, bank: SlotBank) -> None:
    """Adding each adapter to weights of its own, in the layers where that pays, computes what PEFT computes."""
    people = [file(base, 1, rank=4, alpha=8), None, file(base, 2, rank=8, alpha=3, targets="attention")]
    strengths = [1.0, 1.0, 0.5]
    noisy, t, texts = batch(base, 3)
    bank.use([one.slot for one in bank.load(people)], strengths)
    bank.denoiser.count_rows(noisy[:1], texts[:1])
    bank.denoiser.use_groups(3)
    weights = bank.denoiser.merged_weights(4)
    layers = [path for path in weights if path in bank.denoiser.layers]
    assert 0 < len(layers) < len(bank.denoiser.layers)
    assert len(layers) < len(weights)  # some are parts of joined ones
    assert bank.denoiser.merged_bytes(4) == sum(weights[path].nbytes for path in layers)
    bank.denoiser.use_merged(weights, 3)
    bank.denoiser.merge()
    together = bank.denoiser.unet(noisy, t, encoder_hidden_states=texts).sample
    for i, data in enumerate(people):
        alone = with_peft(base, data, noisy[i : i + 1], t, texts[i : i + 1], strengths[i])
        torch.testing.assert_close(together[i : i + 1], alone, atol=2e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(
    "form", ["the reference script's names", "half precision", "mixed ranks", "no settings"]
)
def test_files_of_other_trainers_fill_a_slot(base: Base, bank: SlotBank, form: str) -> None:
    """Whatever diffusers loads, at the strength that diffusers gives it."""
    data = file(base, 1)
    tensors, metadata = load(data), read_header(data)
    if form == "the reference script's names":
        renamed = {
            k.replace("lora_A", "lora.down").replace("lora_B", "lora.up"): v for k, v in tensors.items()
        }
        data = save(renamed)
    if form == "half precision":
        data = save({k: v.half() for k, v in tensors.items()}, metadata=metadata)
    if form == "mixed ranks":
        other = load(file(base, 2, rank=2))
        data = save({k: (other[k] if "attn1" in k else v) for k, v in tensors.items()})
    if form == "no settings":
        data = save(tensors)
    noisy, t, texts = batch(base, 2)
    bank.use([bank.load([data])[0].slot], [1.0])
    bank.denoiser.use_groups(1)
    ours = bank.denoiser.unet(noisy, t, encoder_hidden_states=texts).sample
    torch.testing.assert_close(ours, with_peft(base, data, noisy, t, texts), atol=2e-5, rtol=1e-4)


def test_the_longest_unused_file_makes_room(base: Base, bank: SlotBank) -> None:
    """Five files in four slots; a file that is there is not written again, and a batch's own files stay."""
    files = [file(base, number, targets="attention") for number in range(5)]
    written: list[int] = []
    write = bank.write
    bank.write = lambda slot, data: (written.append(slot), write(slot, data))[1]  # type: ignore[method-assign]
    first = bank.load(files[:4])
    assert sorted(one.slot for one in first) == [1, 2, 3, 4]
    bank.load(files[:1])
    (fifth,) = bank.load(files[4:])
    assert fifth.slot == first[1].slot
    assert bank.load([bytes(bytearray(files[4]))]) == [fifth]  # the same content in other bytes
    assert len(written) == 5
    with pytest.raises(DoesNotFit):
        bank.load(files)


def test_a_later_file_takes_no_slot_of_the_batch_that_is_drawn(base: Base, bank: SlotBank) -> None:
    """It takes a free one, or the longest unused one; if all are in use or taken ahead, it waits."""
    files = [file(base, number, targets="attention") for number in range(6)]
    bank.load(files[3:4])
    drawn = {one.slot for one in bank.load(files[:2])}
    assert bank.load_ahead(files[4])
    assert bank.load_ahead(files[4])
    assert bank.load_ahead(files[5])
    assert not bank.load_ahead(files[3])  # it made room
    assert bank.load_ahead(b"nothing") is False
    (fourth, fifth) = bank.load(files[4:])
    assert len({*drawn, fourth.slot, fifth.slot}) == 4
    assert bank.load_ahead(b"nothing")  # what it is will be told when it is drawn
    assert bank.load_ahead(files[3])


def test_adapters_that_fit_no_slot_are_refused(base: Base, bank: SlotBank) -> None:
    with pytest.raises(DoesNotFit, match="rank 9"):
        bank.load([file(base, 1, rank=9, targets="attention")])
    small = SlotBank(base, SlottedDenoiser(base.unet, rank=8, targets="attention"), slots=2, groups=1)
    with pytest.raises(DoesNotFit, match="no slots at"):
        small.load([file(base, 1)])


@pytest.mark.parametrize(
    "change", ["other base", "cut off", "empty", "half a pair", "not a number", "sizes", "more"]
)
def test_damaged_files_are_refused_and_take_no_slot(base: Base, bank: SlotBank, change: str) -> None:
    good = file(base, 1, targets="attention")
    tensors, metadata = load(good), read_header(good)
    name = next(key for key in tensors if "lora_A" in key)
    if change == "other base":
        about = json.loads(metadata["stickersmith"]) | {"base_hash": "another"}
        data = save(tensors, metadata=metadata | {"stickersmith": json.dumps(about)})
    elif change == "cut off":
        data = good[:-40]
    elif change == "empty":
        data = b""
    else:
        if change == "half a pair":
            del tensors[name]
        if change == "not a number":
            tensors[name] = torch.full_like(tensors[name], float("nan"))
        if change == "sizes":
            tensors[name] = torch.zeros(4, 999)
        if change == "more":
            tensors["text_encoder.layers.0.lora_A.weight"] = tensors[name].clone()
        data = save(tensors, metadata=metadata)
    with pytest.raises(JobError) as refused:
        bank.load([data])
    assert refused.value.code == ("other-base" if change == "other base" else "bad-adapter")
    assert len({one.slot for one in bank.load([file(base, n, targets="attention") for n in range(4)])}) == 4


def test_slots_hold_no_layers_of_a_training(base: Base) -> None:
    """A training may be on the base's denoiser while the slots are built: none of it gets into them."""
    lora_layers.add(base, "live", rank=2, alpha=2, seed=1)
    try:
        made = SlottedDenoiser(base.unet, rank=4, targets="attention+ff")
        assert not [name for name, _ in made.unet.named_parameters() if "lora_" in name]
        own = {id(weight) for weight in base.unet.parameters()}
        assert all(id(weight) in own for weight in made.unet.parameters())
    finally:
        lora_layers.remove(base, "live")


def test_a_key_names_the_content() -> None:
    """Also where files differ in a byte that the hash does not see."""
    data = bytes(range(256)) * 9000
    changed = data[:-3] + b"x" + data[-2:]
    keys = [content_of(one) for one in (data, bytes(bytearray(data)), data[:-1], data[::-1], changed)]
    assert keys[0] == keys[1]
    assert hash(keys[0]) == hash(keys[1]) == hash(keys[4])
    assert len(set(keys)) == 4
    assert len(repr(keys[0])) < 2000


def test_a_file_arrives_in_pieces(base: Base, bank: SlotBank, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot is the same however small the pieces are that its file is copied in."""
    data = file(base, 1, targets="attention")
    bank.write(1, data)
    monkeypatch.setattr(slot_bank, "PIECE", 1000)
    bank.write(2, data)
    assert bank.pool[1].any()
    assert torch.equal(bank.pool[1], bank.pool[2])


def test_layers_are_told_how_to_compute_only_if_it_changes(
    bank: SlotBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    denoiser = bank.denoiser
    one, other = denoiser.merged_weights(), denoiser.merged_weights()
    told: list[int] = []
    use_groups = denoiser.use_groups
    monkeypatch.setattr(denoiser, "use_groups", lambda groups: (told.append(groups), use_groups(groups)))

    def weights_used() -> set[int]:
        return {0 if layer.merged is None else layer.merged.data_ptr() for layer in denoiser.layers.values()}

    for groups, weights in ((2, None), (2, one), (2, other), (4, other), (4, None)):
        before = len(told)
        denoiser.use(groups, weights)
        denoiser.use(groups, weights)
        assert told[before:] == [groups]
        assert weights_used() == (
            {0} if weights is None else {weights[path].data_ptr() for path in denoiser.layers}
        )
    use_groups(4, 0.5)
    denoiser.use(4, None)
    assert {layer.scale for layer in denoiser.layers.values()} == {1.0}
