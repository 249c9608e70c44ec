"""The judges on real drawings: style apart from subject, copies found, and networks from folders loaded whole."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter, ImageOps

from lora.data.dataset import on_flat_background, open_samples, read_folder
from lora.evaluation import checkpoint_choice, metrics
from lora.evaluation.scorers import Features, FlatDrawing, ScorerError, image_encoder
from lora.evaluation.scorers.classifier import MOST, DiffusionPromptScorer, fidelity, residuals
from lora.evaluation.scorers.encoders import ClipPromptScorer
from lora.evaluation.scorers.framing import framed
from lora.models import base_model
from lora.models.base_model import Base

DEMO = Path(__file__).parents[3] / "data" / "demo"
WHITE = (255, 255, 255)


@pytest.fixture(scope="module")
def drawings() -> list[Image.Image]:
    """The demo's drawings, all of one hand, on white."""
    return [on_flat_background(image, 256, WHITE) for image in open_samples(read_folder(DEMO))]


def look(images: list[Image.Image]) -> Features:
    return image_encoder().look([FlatDrawing(image=image, background_colour=WHITE) for image in images])


def outlined(image: Image.Image) -> Image.Image:
    """The same drawing by another hand: grey pencil lines only."""
    return ImageOps.invert(image.convert("L").filter(ImageFilter.FIND_EDGES)).convert("RGB")


def test_one_style_is_nearer_than_another(drawings: list[Image.Image]) -> None:
    """Other subjects by the same hand are near the samples' look; the samples' own subjects by another are not."""
    samples, others = look(drawings[:18]), look(drawings[18:])
    pencil = look([outlined(image) for image in drawings])
    way = metrics.style_closeness(others.style, samples.style, pencil.style[:18])
    back = metrics.style_closeness(pencil.style[18:], samples.style, pencil.style[:18])
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
    assert metrics.copies(look(spoilt).content, own.content, mirrored.content).all()
    assert metrics.copies(look(new).content, own.content, mirrored.content).mean() <= 0.1


def test_collapse_is_seen_as_low_diversity(drawings: list[Image.Image]) -> None:
    """The samples' own other drawings vary as they do; one thing drawn again and again does not."""
    own = look(drawings[:18]).content
    same = [drawings[20].rotate(angle, fillcolor=WHITE) for angle in (0, 2, 4, 6)]
    assert 0.6 < metrics.diversity(look(drawings[18:]).content, own) < 1.4
    assert metrics.diversity(look(same).content, own) < 0.3


def test_framing_forgets_place_and_size(drawings: list[Image.Image]) -> None:
    """A drawing small in a corner is seen as it is when it fills its picture, on any background."""
    pink = (255, 170, 200)
    large = Image.new("RGB", (256, 256), pink)
    large.paste((20, 60, 90), (40, 40, 216, 216))
    small = Image.new("RGB", (256, 256), pink)
    small.paste((20, 60, 90), (4, 150, 92, 238))
    one, other = (framed(FlatDrawing(image=image, background_colour=pink), 64) for image in (large, small))
    assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean() < 3
    assert one.getpixel((0, 0)) == pink


def test_nothing_drawn_is_framed_too() -> None:
    """An empty drawing is a flat square, and no crash."""
    empty = FlatDrawing(image=Image.new("RGB", (64, 64), WHITE), background_colour=WHITE)
    assert framed(empty, 32).getextrema() == ((255, 255),) * 3


def test_what_one_prompt_wins_another_loses(base: Base) -> None:
    """Between two prompts the score is the same each time, and the opposite with the prompts exchanged."""
    reader = DiffusionPromptScorer(base)
    shown = FlatDrawing(image=Image.new("RGB", (64, 64), (200, 40, 40)), background_colour=WHITE)
    score = reader.read(shown, "white", ["a cat", "a dog"])
    assert 0 < abs(score) <= MOST
    assert reader.read(shown, "white", ["a cat", "a dog"]) == score
    assert reader.read(shown, "white", ["a dog", "a cat"]) == pytest.approx(-score)
    assert reader.read(shown, "white", ["a cat", "a cat"]) == 0


CHANCE = torch.Generator().manual_seed(0)
PREDICTED = torch.randn(6, 400, generator=CHANCE)  # for the right prompt and five others
UNFORESEEN = 20 * torch.linalg.qr(torch.cat([PREDICTED.T, torch.randn(400, 1, generator=CHANCE)], 1)).Q[:, 6]


@pytest.mark.parametrize("way", [0.0, 0.25, 0.5, 1.0])
def test_fidelity_is_how_far_a_drawing_is_what_its_words_make_expected(way: float) -> None:
    """From half way between the words and all others to the words; what no words foresee changes nothing."""
    middle = (PREDICTED[0] + PREDICTED[1:].mean(dim=0)) / 2
    drawing = torch.lerp(middle, PREDICTED[0], way)
    spread = PREDICTED[1:].var(dim=0, correction=0).mean() / (PREDICTED[1:] - PREDICTED[0]).square().mean()
    wanted = way + (1 - way) * float(spread)
    assert fidelity([PREDICTED - drawing]) == pytest.approx(wanted, abs=1e-4)
    assert fidelity([PREDICTED - drawing - UNFORESEEN]) == pytest.approx(wanted, abs=1e-4)


def test_fidelity_is_chance_for_any_words_and_negative_for_another_prompts_drawing() -> None:
    """Over prompts as far from each other the mean is 0, whatever was drawn; for another's drawing it is below."""
    apart = torch.linalg.qr(PREDICTED.T).Q.T
    drawing = torch.randn(400, generator=CHANCE) / 4
    scores = [fidelity([torch.roll(apart, -i, 0) - drawing]) for i in range(6)]
    assert np.mean(scores) == pytest.approx(0, abs=1e-4)
    assert np.std(scores) > 0.1
    assert fidelity([PREDICTED - PREDICTED[3]]) < 0
    assert fidelity([PREDICTED[:1].expand(3, -1)]) == 0


def test_a_base_that_predicts_noise_is_read_as_one_that_predicts_velocity() -> None:
    """The same guesses at the picture, told in either way, miss by the same."""
    clean, texts = torch.randn(1, 4, 8, 8, generator=CHANCE), torch.randn(3, 77, 8, generator=CHANCE)
    signals = torch.linspace(0.99, 0.001, 50)

    def told(kind: str) -> torch.Tensor:
        def unet(noisy: torch.Tensor, times: torch.Tensor, encoder_hidden_states: torch.Tensor) -> object:
            guess = 0.3 * noisy + encoder_hidden_states[:, 0, :1, None, None]
            signal = signals[times[0]]
            noise = (noisy - signal.sqrt() * guess) / (1 - signal).sqrt()
            velocity = signal.sqrt() * noise - (1 - signal).sqrt() * guess
            return SimpleNamespace(sample=velocity if kind == "v_prediction" else noise)

        scheduler = SimpleNamespace(alphas_cumprod=signals, config=SimpleNamespace(prediction_type=kind))
        base = SimpleNamespace(scheduler=scheduler, unet=unet, dtype=torch.float32)
        return residuals(base, clean, texts, 0.05, 1)  # type: ignore[arg-type]

    torch.testing.assert_close(told("epsilon"), told("v_prediction"), atol=1e-4, rtol=1e-4)
    assert told("epsilon").abs().max() > 0.1


@pytest.fixture(scope="module")
def readings(drawings: list[Image.Image], cache_dir: Path) -> dict[str, np.ndarray]:
    """What the bundled base reads of five of the demo's drawings: whole, faded, and each with the next one's prompt."""
    reader = DiffusionPromptScorer(base_model.load("sticker-nano", cache_dir, "cpu"))
    prompts = [sample.caption for sample in read_folder(DEMO)][:5]
    turned = [prompts[i:] + prompts[:i] for i in range(5)]

    def read(images: list[Image.Image]) -> np.ndarray:
        pairs = zip(images, turned, strict=True)
        return np.array(
            [
                reader.read(FlatDrawing(image=image, background_colour=WHITE), "white", asked)
                for image, asked in pairs
            ]
        )

    some, blank = drawings[:5], Image.new("RGB", (256, 256), WHITE)
    return {
        "whole": read(some),
        "faded": read([Image.blend(image, blank, 0.6) for image in some]),
        "others": read(some[1:] + some[:1]),
    }


@pytest.mark.slow
def test_the_bundled_base_reads_in_degrees(readings: dict[str, np.ndarray]) -> None:
    """An unseen style is far over chance, what is left of its drawings is less, and other things are not over it."""
    whole, faded, others = (readings[name].mean() for name in ("whole", "faded", "others"))
    assert 0.4 < whole < 1.5
    assert 0.1 < faded < 0.7 * whole
    assert others < 0.2
    assert len(set(readings["whole"].round(3))) == 5  # no ceiling


@pytest.mark.slow
def test_a_checkpoint_that_ignores_prompts_is_rejected(readings: dict[str, np.ndarray]) -> None:
    """Good drawings, but of something else than was asked for: the rule takes another, however near its style is."""

    def marks(step: int, prompt: np.ndarray) -> checkpoint_choice.Measurements:
        return checkpoint_choice.Measurements(
            step=step, style=np.full(5, step / 10), prompt=prompt, copied=np.zeros(5, bool), diversity=1.0
        )

    rows = [marks(1, readings["whole"]), marks(2, readings["others"])]
    choice = checkpoint_choice.choose_checkpoint(
        rows, readings["whole"], min_share=DiffusionPromptScorer.least, samples=24
    )
    assert choice.step == 1
    assert "follows prompts less" in str(choice.others[2])


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
    judge = image_encoder(make(tmp_path))  # type: ignore[operator]
    shown = [FlatDrawing(image=image, background_colour=WHITE) for image in drawings[:3]]
    seen = judge.look(shown)
    assert seen.style.shape == (3, width)
    assert np.allclose(judge.look(shown[1:2]).style, seen.style[1:2], atol=1e-5)
    assert not np.allclose(seen.style[0], seen.style[1], atol=1e-5)


def test_a_clip_reads(drawings: list[Image.Image], tmp_path: Path) -> None:
    """CLIP-T is the cosine that transformers' own CLIPModel gives for the same pixels and words."""
    from transformers import CLIPModel, CLIPTokenizer

    from lora.evaluation.scorers.encoders import OPENAI, _pixels

    folder = clip(tmp_path)
    shown = FlatDrawing(image=drawings[0], background_colour=WHITE)
    model = CLIPModel.from_pretrained(folder).eval()
    words = CLIPTokenizer.from_pretrained(folder)("a cat", return_tensors="pt")
    with torch.no_grad():
        theirs = model(**words, pixel_values=_pixels([shown], 64, OPENAI, model))
        cosine = (theirs.logits_per_image / model.logit_scale.exp()).item()
    assert ClipPromptScorer(folder, "cpu").read(shown, "white", ["a cat"]) == pytest.approx(cosine, abs=1e-5)


def test_what_is_no_judge_is_refused(tmp_path: Path) -> None:
    """A folder without config, of another network, without weights: the message names it."""
    with pytest.raises(ScorerError, match=r"config\.json: missing"):
        image_encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ScorerError, match="'bert'"):
        image_encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    with pytest.raises(ScorerError, match="cannot be loaded"):
        image_encoder(tmp_path)
