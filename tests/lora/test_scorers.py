"""The judges on real drawings: style apart from subject, copies found, and networks from folders loaded whole."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from lora import likeness
from lora.bases import Base
from lora.dataset import on_flat_ground, open_samples, read_folder
from lora.scorers import Looks, ScorerError, Shown, eye
from lora.scorers.classifier import DiffusionReader
from lora.scorers.encoders import ClipReader
from lora.scorers.framing import framed

DEMO = Path(__file__).parents[2] / "data" / "demo"
WHITE = (255, 255, 255)


@pytest.fixture(scope="module")
def drawings() -> list[Image.Image]:
    """The demo's drawings, all of one hand, on white."""
    return [on_flat_ground(image, 256, WHITE) for image in open_samples(read_folder(DEMO))]


def look(images: list[Image.Image]) -> Looks:
    return eye().look([Shown(image=image, ground=WHITE) for image in images])


def outlined(image: Image.Image) -> Image.Image:
    """The same drawing by another hand: grey pencil lines only."""
    return ImageOps.invert(image.convert("L").filter(ImageFilter.FIND_EDGES)).convert("RGB")


def test_one_style_is_nearer_than_another(drawings: list[Image.Image]) -> None:
    """Other subjects by the same hand are near the samples' look; the samples' own subjects by another are not."""
    samples, others = look(drawings[:18]), look(drawings[18:])
    pencil = look([outlined(image) for image in drawings])
    way = likeness.style_closeness(others.style, samples.style, pencil.style[:18])
    back = likeness.style_closeness(pencil.style[18:], samples.style, pencil.style[:18])
    assert way.mean() > 0.7
    assert back.mean() < 0.3
    assert (way > back).all()


def test_a_copy_of_a_sample_is_found(drawings: list[Image.Image]) -> None:
    """Moved, smaller, mirrored, or blurred by a decoder: it is memorised. New drawings of that hand are not."""
    samples, new = drawings[:18], drawings[18:]
    own, mirrored = look(samples), look([ImageOps.mirror(image) for image in samples])
    small = Image.new("RGB", (256, 256), "white")
    small.paste(samples[3].resize((150, 150)), (90, 20))
    spoilt = [small, ImageOps.mirror(samples[5]), samples[8].filter(ImageFilter.GaussianBlur(1))]
    assert likeness.copies(look(spoilt).content, own.content, mirrored.content).all()
    assert likeness.copies(look(new).content, own.content, mirrored.content).mean() <= 0.1


def test_collapse_is_seen_as_low_diversity(drawings: list[Image.Image]) -> None:
    """The samples' own other drawings vary as they do; one thing drawn again and again does not."""
    own = look(drawings[:18]).content
    same = [drawings[20].rotate(angle, fillcolor=WHITE) for angle in (0, 2, 4, 6)]
    assert 0.6 < likeness.diversity(look(drawings[18:]).content, own) < 1.4
    assert likeness.diversity(look(same).content, own) < 0.3


def test_framing_forgets_place_and_size(drawings: list[Image.Image]) -> None:
    """A drawing small in a corner is seen as it is when it fills its picture, on any ground."""
    pink = (255, 170, 200)
    large = Image.new("RGB", (256, 256), pink)
    large.paste((20, 60, 90), (40, 40, 216, 216))
    small = Image.new("RGB", (256, 256), pink)
    small.paste((20, 60, 90), (4, 150, 92, 238))
    one, other = (framed(Shown(image=image, ground=pink), 64) for image in (large, small))
    assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean() < 3
    assert one.getpixel((0, 0)) == pink


def test_nothing_drawn_is_framed_too() -> None:
    """An empty drawing is a flat square, and no crash."""
    empty = Shown(image=Image.new("RGB", (64, 64), WHITE), ground=WHITE)
    assert framed(empty, 32).getextrema() == ((255, 255),) * 3


def test_the_reader_prefers_what_the_base_would_draw(base: Base) -> None:
    """Read from noise levels, with no adapter on: between -1 and 1, the same each time, and other words differ."""
    reader = DiffusionReader(base)
    shown = Shown(image=Image.new("RGB", (64, 64), (200, 40, 40)), ground=WHITE)
    prompts = ["a cat", "a dog", "a tree", "a house", "a boat"]
    scores = [reader.read(shown, "white", prompts[i:] + prompts[:i]) for i in range(5)]
    assert scores == [reader.read(shown, "white", prompts[i:] + prompts[:i]) for i in range(5)]
    # The prompts are ranked: the best beats all four others, the worst none, in some order.
    assert sorted(scores) == [-1, -0.5, 0, 0.5, 1]


def dino(folder: Path) -> Path:
    from transformers import Dinov2Config, Dinov2Model

    config = Dinov2Config(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, image_size=56, patch_size=14
    )
    Dinov2Model(config).save_pretrained(folder)
    return folder


def clip(folder: Path) -> Path:
    from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPVisionConfig

    from tests.tiny_base import _tokenizer

    text = CLIPTextConfig(
        hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, eos_token_id=49407
    )
    vision = CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
    )
    parts = {"text_config": text.to_dict(), "vision_config": vision.to_dict(), "projection_dim": 16}
    CLIPModel(CLIPConfig(**parts)).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder


@pytest.mark.parametrize(("make", "width"), [(dino, 32), (clip, 16)])
def test_networks_from_folders_judge(
    make: object, width: int, drawings: list[Image.Image], tmp_path: Path
) -> None:
    """A DINOv2 or a CLIP in a folder is an eye: a vector for each picture that depends on the picture alone."""
    judge = eye(make(tmp_path))  # type: ignore[operator]
    shown = [Shown(image=image, ground=WHITE) for image in drawings[:3]]
    seen = judge.look(shown)
    assert seen.style.shape == (3, width)
    assert np.allclose(judge.look(shown[1:2]).style, seen.style[1:2], atol=1e-5)
    assert not np.allclose(seen.style[0], seen.style[1], atol=1e-5)


def test_a_clip_reads(drawings: list[Image.Image], tmp_path: Path) -> None:
    """CLIP-T is the cosine that transformers' own CLIPModel gives for the same pixels and words."""
    import torch
    from transformers import CLIPModel, CLIPTokenizer

    from lora.scorers.encoders import OPENAI, _pixels

    folder = clip(tmp_path)
    shown = Shown(image=drawings[0], ground=WHITE)
    model = CLIPModel.from_pretrained(folder).eval()
    words = CLIPTokenizer.from_pretrained(folder)("a cat", return_tensors="pt")
    with torch.no_grad():
        theirs = model(**words, pixel_values=_pixels([shown], 64, OPENAI, model))
        cosine = (theirs.logits_per_image / model.logit_scale.exp()).item()
    assert ClipReader(folder, "cpu").read(shown, "white", ["a cat"]) == pytest.approx(cosine, abs=1e-5)


def test_what_is_no_judge_is_refused(tmp_path: Path) -> None:
    """A folder without config, of another network, without weights: the message names it."""
    with pytest.raises(ScorerError, match=r"config\.json: missing"):
        eye(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ScorerError, match="'bert'"):
        eye(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    with pytest.raises(ScorerError, match="cannot be loaded"):
        eye(tmp_path)
