"""The scorers on real drawings: style and content are told apart, copies are found, folders of networks are loaded."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter, ImageOps

from lora.adapters.lora_layers import use_file
from lora.data.dataset import SamplePictures, on_flat_background, read_folder
from lora.evaluation import checkpoint_choice, metrics
from lora.evaluation.scorers import Features, FlatDrawing, ScorerError, image_encoder
from lora.evaluation.scorers.classifier import MOST, DiffusionPromptScorer, fidelity, residuals
from lora.evaluation.scorers.encoders import ClipPromptScorer
from lora.evaluation.scorers.framing import framed
from lora.models.base_model import Base

DEMO = Path(__file__).parents[3] / "data" / "demo"
WHITE = (255, 255, 255)


@pytest.fixture(scope="module")
def drawings() -> list[Image.Image]:
    """The demo's drawings, all in one style, on white."""
    return [on_flat_background(image, 256, WHITE) for image in SamplePictures(read_folder(DEMO))]


def features(images: list[Image.Image]) -> Features:
    return image_encoder().features([FlatDrawing(image=image, background_colour=WHITE) for image in images])


def outlined(image: Image.Image) -> Image.Image:
    """The same drawing in another style: grey pencil lines only."""
    return ImageOps.invert(image.convert("L").filter(ImageFilter.FIND_EDGES)).convert("RGB")


def test_one_style_is_nearer_than_another(drawings: list[Image.Image]) -> None:
    """Other subjects in the same style are close to the samples; the samples' own subjects in another style are not."""
    samples, others = features(drawings[:18]), features(drawings[18:])
    pencil = features([outlined(image) for image in drawings])
    way = metrics.style_closeness(others.style, samples.style, pencil.style[:18])
    back = metrics.style_closeness(pencil.style[18:], samples.style, pencil.style[:18])
    assert way.mean() > 0.7
    assert back.mean() < 0.3
    assert (way > back).all()


def test_a_copy_of_a_sample_is_found(drawings: list[Image.Image]) -> None:
    """Moved, smaller, mirrored, or blurred by a decoder: it is memorised. New drawings in that style are not."""
    samples, new = drawings[:18], drawings[18:]
    own, mirrored = features(samples), features([ImageOps.mirror(image) for image in samples])
    small = Image.new("RGB", (256, 256), "white")
    small.paste(samples[3].resize((150, 150)), (90, 20))
    altered = [small, ImageOps.mirror(samples[5]), samples[8].filter(ImageFilter.GaussianBlur(1))]
    assert metrics.copies(features(altered).content, own.content, mirrored.content).all()
    assert metrics.copies(features(new).content, own.content, mirrored.content).mean() <= 0.1


def test_equal_drawings_have_low_diversity(drawings: list[Image.Image]) -> None:
    """Other drawings vary as much as the samples; one thing drawn again and again does not."""
    own = features(drawings[:18]).content
    same = [drawings[20].rotate(angle, fillcolor=WHITE) for angle in (0, 2, 4, 6)]
    assert 0.6 < (metrics.diversity(features(drawings[18:]).content, own) or 0.0) < 1.4
    alike = metrics.diversity(features(same).content, own)
    assert alike is not None
    assert alike < 0.3


def test_framing_ignores_place_and_size(drawings: list[Image.Image]) -> None:
    """A small drawing in a corner is framed like one that fills the picture, on any background."""
    pink = (255, 170, 200)
    large = Image.new("RGB", (256, 256), pink)
    large.paste((20, 60, 90), (40, 40, 216, 216))
    small = Image.new("RGB", (256, 256), pink)
    small.paste((20, 60, 90), (4, 150, 92, 238))
    one, other = (framed(FlatDrawing(image=image, background_colour=pink), 64) for image in (large, small))
    assert np.abs(np.asarray(one).astype(int) - np.asarray(other)).mean() < 3
    assert one.getpixel((0, 0)) == pink


def test_an_empty_drawing_is_framed() -> None:
    """It gives a flat square, not an error."""
    empty = FlatDrawing(image=Image.new("RGB", (64, 64), WHITE), background_colour=WHITE)
    assert framed(empty, 32).getextrema() == ((255, 255),) * 3


def test_exchanged_prompts_give_the_opposite_score(base: Base) -> None:
    """Between two prompts the score is the same each time; exchanged prompts negate it, equal prompts give 0."""
    scorer = DiffusionPromptScorer(base)
    drawing = FlatDrawing(image=Image.new("RGB", (64, 64), (200, 40, 40)), background_colour=WHITE)
    score = scorer.score(drawing, "white", ["a cat", "a dog"])
    assert 0 < abs(score) <= MOST
    assert scorer.score(drawing, "white", ["a cat", "a dog"]) == score
    assert scorer.score(drawing, "white", ["a dog", "a cat"]) == pytest.approx(-score)
    assert scorer.score(drawing, "white", ["a cat", "a cat"]) == 0


GENERATOR = torch.Generator().manual_seed(0)
PREDICTED = torch.randn(6, 400, generator=GENERATOR)  # for the right prompt and five others
UNRELATED = (
    20 * torch.linalg.qr(torch.cat([PREDICTED.T, torch.randn(400, 1, generator=GENERATOR)], 1)).Q[:, 6]
)


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_fidelity_is_how_close_a_drawing_is_to_what_its_prompt_makes_expected(share: float) -> None:
    """From the middle between the prompt and the others, to the prompt. What no prompt predicts changes nothing."""
    middle = (PREDICTED[0] + PREDICTED[1:].mean(dim=0)) / 2
    drawing = torch.lerp(middle, PREDICTED[0], share)
    spread = PREDICTED[1:].var(dim=0, correction=0).mean() / (PREDICTED[1:] - PREDICTED[0]).square().mean()
    expected = share + (1 - share) * float(spread)
    assert fidelity([PREDICTED - drawing]) == pytest.approx(expected, abs=1e-4)
    assert fidelity([PREDICTED - drawing - UNRELATED]) == pytest.approx(expected, abs=1e-4)


def test_fidelity_is_0_on_average_and_negative_for_a_drawing_of_another_prompt() -> None:
    """Over prompts at equal distances the mean is 0 for any drawing; a drawing of another prompt is below 0."""
    apart = torch.linalg.qr(PREDICTED.T).Q.T
    drawing = torch.randn(400, generator=GENERATOR) / 4
    scores = [fidelity([torch.roll(apart, -i, 0) - drawing]) for i in range(6)]
    assert np.mean(scores) == pytest.approx(0, abs=1e-4)
    assert np.std(scores) > 0.1
    assert fidelity([PREDICTED - PREDICTED[3]]) < 0
    assert fidelity([PREDICTED[:1].expand(3, -1)]) == 0


def test_a_base_that_predicts_noise_has_the_residuals_of_one_that_predicts_velocity() -> None:
    """The same guess at x_0, as a predicted noise or a predicted velocity, has the same residuals."""
    x_0, texts = torch.randn(1, 4, 8, 8, generator=GENERATOR), torch.randn(3, 77, 8, generator=GENERATOR)
    alphas_cumprod = torch.linspace(0.99, 0.001, 50)

    def residuals_of(kind: str) -> torch.Tensor:
        def predict(
            noisy: torch.Tensor, timesteps: torch.Tensor, text_embeddings: torch.Tensor
        ) -> torch.Tensor:
            guess = 0.3 * noisy + text_embeddings[:, 0, :1, None, None]
            alpha_bar = alphas_cumprod[timesteps[0]]
            noise = (noisy - alpha_bar.sqrt() * guess) / (1 - alpha_bar).sqrt()
            velocity = alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * guess
            return velocity if kind == "v_prediction" else noise

        scheduler = SimpleNamespace(
            alphas_cumprod=alphas_cumprod, config=SimpleNamespace(prediction_type=kind)
        )
        base = SimpleNamespace(scheduler=scheduler, predict=predict)
        return residuals(base, x_0, texts, 0.05, 1)  # type: ignore[arg-type]

    torch.testing.assert_close(residuals_of("epsilon"), residuals_of("v_prediction"), atol=1e-4, rtol=1e-4)
    assert residuals_of("epsilon").abs().max() > 0.1


@pytest.fixture(scope="module")
def scores(drawings: list[Image.Image], nano: Base) -> dict[str, np.ndarray]:
    """The bundled base's scores of five of the demo's drawings: whole, faded, and each with the next one's prompt."""
    use_file(nano, None)
    scorer = DiffusionPromptScorer(nano)
    prompts = [sample.caption for sample in read_folder(DEMO)][:5]
    own_first = [prompts[i:] + prompts[:i] for i in range(5)]

    def score(images: list[Image.Image]) -> np.ndarray:
        pairs = zip(images, own_first, strict=True)
        return np.array(
            [
                scorer.score(FlatDrawing(image=image, background_colour=WHITE), "white", ordered)
                for image, ordered in pairs
            ]
        )

    some, blank = drawings[:5], Image.new("RGB", (256, 256), WHITE)
    return {
        "whole": score(some),
        "faded": score([Image.blend(image, blank, 0.6) for image in some]),
        "others": score(some[1:] + some[:1]),
    }


@pytest.mark.slow
def test_the_bundled_bases_score_is_a_degree(scores: dict[str, np.ndarray]) -> None:
    """Drawings in an unseen style score far over 0, faded ones less, drawings of other things about 0."""
    whole, faded, others = (scores[name].mean() for name in ("whole", "faded", "others"))
    assert 0.4 < whole < 1.5
    assert 0.1 < faded < 0.7 * whole
    assert others < 0.2
    assert len(set(scores["whole"].round(3))) == 5  # no ceiling


@pytest.mark.slow
def test_a_checkpoint_that_ignores_prompts_is_rejected(scores: dict[str, np.ndarray]) -> None:
    """Its drawings show other things than the prompts. The other one is chosen, although its style is less close."""

    def marks(step: int, prompt: np.ndarray) -> checkpoint_choice.Measurements:
        return checkpoint_choice.Measurements(
            step=step, style=np.full(5, step / 10), prompt=prompt, copied=np.zeros(5, bool), diversity=1.0
        )

    rows = [marks(1, scores["whole"]), marks(2, scores["others"])]
    choice = checkpoint_choice.choose_checkpoint(
        rows, scores["whole"], min_share=DiffusionPromptScorer.min_share, samples=24
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
def test_networks_from_folders_are_image_encoders(
    make: object, width: int, drawings: list[Image.Image], tmp_path: Path
) -> None:
    """A DINOv2 or a CLIP in a folder gives a vector for each drawing, which depends on that drawing alone."""
    encoder = image_encoder(make(tmp_path))  # type: ignore[operator]
    some = [FlatDrawing(image=image, background_colour=WHITE) for image in drawings[:3]]
    found = encoder.features(some)
    assert found.style.shape == (3, width)
    assert np.allclose(encoder.features(some[1:2]).style, found.style[1:2], atol=1e-5)
    assert not np.allclose(found.style[0], found.style[1], atol=1e-5)


def test_a_clip_is_a_prompt_scorer(drawings: list[Image.Image], tmp_path: Path) -> None:
    """CLIP-T is the cosine that transformers' own CLIPModel gives for the same pixels and words."""
    from transformers import CLIPModel, CLIPTokenizer

    from lora.evaluation.scorers.encoders import OPENAI, _pixels

    folder = clip(tmp_path)
    drawing = FlatDrawing(image=drawings[0], background_colour=WHITE)
    model = CLIPModel.from_pretrained(folder).eval()
    words = CLIPTokenizer.from_pretrained(folder)("a cat", return_tensors="pt")
    with torch.no_grad():
        theirs = model(**words, pixel_values=_pixels([drawing], 64, OPENAI, model))
        cosine = (theirs.logits_per_image / model.logit_scale.exp()).item()
    assert ClipPromptScorer(folder, "cpu").score(drawing, "white", ["a cat"]) == pytest.approx(
        cosine, abs=1e-5
    )


def test_a_folder_without_a_known_network_is_refused(tmp_path: Path) -> None:
    """A folder without config, of another network, without weights: the message names it."""
    with pytest.raises(ScorerError, match=r"config\.json: missing"):
        image_encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ScorerError, match="'bert'"):
        image_encoder(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "dinov2"}')
    with pytest.raises(ScorerError, match="cannot be loaded"):
        image_encoder(tmp_path)
