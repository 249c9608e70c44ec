"""The background goes, the drawing stays: keyed exactly on flat backgrounds, by the bundled network elsewhere."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from scipy.ndimage import binary_dilation, gaussian_filter, label, mean

from lora.drawing.cutout import REMOVERS, Remover, bundled, cut_out, flat, rembg, remover
from lora.drawing.cutout_names import LICENCES, REFUSED
from lora.jobs import JobError
from tests import waiting

BACKGROUND = (40, 90, 230)


class FixedRemover:
    """A remover that gives the alpha that it was made with."""

    def __init__(self, alpha: np.ndarray) -> None:
        self._alpha = alpha

    def alpha(self, image: Image.Image, part: flat.Box | None = None) -> np.ndarray:
        return self._alpha


def disc(side: int, radius: float) -> np.ndarray:
    """Alpha of a centred disc with a soft edge, float [side, side]."""
    ys, xs = np.mgrid[0:side, 0:side] - (side - 1) / 2
    return np.clip(radius + 0.5 - np.hypot(ys, xs), 0, 1)


def painted(alpha: np.ndarray, colour: tuple[int, int, int], background: tuple[int, int, int]) -> np.ndarray:
    """A flat drawing composited onto a background, float RGB."""
    a = alpha[..., None]
    return (a * np.array(colour) + (1 - a) * np.array(background)) / 255


def picture(rgb: np.ndarray) -> Image.Image:
    return Image.fromarray((rgb * 255).round().astype(np.uint8))


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Remover:
    return remover(tmp_path_factory.mktemp("cache"))


@pytest.mark.parametrize("background", [(255, 255, 255), BACKGROUND, (0, 190, 90)])
def test_edges_are_unmixed_without_a_halo(background: tuple[int, int, int]) -> None:
    """Alpha is within a hundredth of the truth on average, and no pixel keeps the background's colour."""
    alpha = disc(128, 40)
    rgb = painted(alpha, (220, 60, 20), background)
    found = np.asarray(cut_out(picture(rgb), FixedRemover(alpha), background), dtype=float) / 255
    assert np.abs(found[..., 3] - alpha).mean() < 0.01
    visible = found[..., 3] > 0.1
    assert np.abs(found[visible][:, :3] - np.array([220, 60, 20]) / 255).max() < 0.12


@pytest.mark.parametrize("side", [256, 512])
def test_soft_edges_of_dark_drawings_keep_little_of_the_background(side: int) -> None:
    """A decoder smears an edge over a share of the picture: little of it is light, in a small or a large one."""
    alpha = gaussian_filter(disc(side, side * 0.3), side / 256)
    found = cut_out(picture(painted(alpha, (30, 40, 60), (255, 255, 255))), FixedRemover(alpha))
    rgba = np.asarray(found, dtype=float) / 255
    visible = rgba[..., 3] > 0.1
    assert np.abs(rgba[visible][:, :3] - np.array([30, 40, 60]) / 255).max() < 0.25
    assert np.abs(rgba[..., 3] - alpha).mean() < 0.01


def test_white_eyes_stay_and_a_ring_has_its_hole() -> None:
    """An enclosed patch of the background's colour goes only if the network calls it background."""
    ring, hole = disc(128, 50), disc(128, 20)
    rgb = painted(ring - hole, (20, 20, 20), (255, 255, 255))
    eye = np.asarray(cut_out(picture(rgb), FixedRemover(ring)))
    assert tuple(eye[64, 64]) == (255, 255, 255, 255)
    doughnut = np.asarray(cut_out(picture(rgb), FixedRemover(ring - hole)))
    assert doughnut[64, 64, 3] == 0


def test_specks_of_noise_are_dropped_and_parts_are_kept() -> None:
    """A lone dot is noise; a star beside the drawing belongs to it."""
    rgb = painted(disc(128, 40), (220, 60, 20), BACKGROUND)
    rgb[5, 60] = (1, 1, 0)
    rgb[10:20, 108:118] = (1, 1, 0)
    alpha = np.asarray(cut_out(picture(rgb), FixedRemover(disc(128, 40))))[..., 3]
    assert alpha[5, 60] == 0
    assert alpha[15, 112] == 255


def details(kind: str) -> tuple[Image.Image, np.ndarray]:
    """A picture of 512 px on white with small parts, and where its ink clearly is, bool [512, 512]."""
    image = Image.new("RGB", (1024, 1024), "white")  # halved below, for smooth edges
    pen = ImageDraw.Draw(image)
    if kind != "strokes alone":
        pen.ellipse((240, 300, 780, 860), fill=(240, 140, 40), outline=(40, 25, 20), width=12)
    match kind:
        case "sparkles of 14 px" | "sparkles of 6 px":
            radius = 14 if kind == "sparkles of 14 px" else 6
            for x, y in ((820, 260), (880, 200), (940, 260), (160, 240), (200, 180)):
                pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(250, 200, 0))
        case "strokes alone" | "strokes":
            for n in range(12):
                pen.rectangle((90 + 70 * n, 60, 99 + 70 * n, 99), fill=(200, 0, 0))  # 5 x 20 px
        case "rain":
            for n in range(18):
                x, y = 60 + 50 * n, n * 97 % 220
                pen.line((x, y, x - 10, y + 40), fill=(40, 90, 230), width=5)
    image = image.resize((512, 512), Image.Resampling.LANCZOS)
    return image, np.abs(np.asarray(image, dtype=int) - 255).max(axis=2) > 60


@pytest.mark.parametrize(
    "kind", ["sparkles of 14 px", "sparkles of 6 px", "strokes", "strokes alone", "rain"]
)
def test_small_details_stay(kind: str) -> None:
    """What is far from the background's colour is drawing, however small, though the network does not see it."""
    image, ink = details(kind)
    alpha = np.asarray(cut_out(image, FixedRemover(np.zeros((512, 512))), (255, 255, 255)))[..., 3]
    labels, count = label(ink, structure=np.ones((3, 3)))
    kept = np.asarray(mean(alpha > 100, labels, np.arange(1, count + 1)))
    assert kept.min() > 0.85  # of each part by itself
    assert (alpha[~ink] > 200).mean() < 0.002


@pytest.mark.parametrize("noise", ["faint islands", "lone dots", "grain", "JPEG"])
def test_faint_or_tiny_islands_are_noise(noise: str) -> None:
    """Nothing of them is left outside of the drawing."""
    image, ink = details("nothing more")
    pixels = np.asarray(image).copy()
    rng = np.random.default_rng(0)
    if noise == "faint islands":
        for y, x in rng.integers(5, 140, (30, 2)):
            pixels[y : y + 8, x : x + 8] = (235, 215, 220)
    if noise == "lone dots":
        pixels[rng.integers(5, 140, 30) // 5 * 5, rng.integers(5, 500, 30) // 5 * 5] = 0
    if noise == "grain":
        pixels = np.clip(pixels + rng.normal(0, 3, pixels.shape), 0, 255).astype(np.uint8)
    image = Image.fromarray(pixels)
    if noise == "JPEG":
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=40)
        image = Image.open(buffer).convert("RGB")
    alpha = np.asarray(cut_out(image, FixedRemover(np.zeros((512, 512))), (255, 255, 255)))[..., 3]
    outside = ~binary_dilation(ink, iterations=12)
    assert alpha[outside].max() == 0
    assert (alpha[ink] > 100).mean() > 0.98


def test_a_border_of_two_colours_is_left_to_the_network() -> None:
    """No colour is keyed where the border is not flat."""
    rgb = painted(disc(128, 40), (220, 60, 20), BACKGROUND)
    half = rgb.copy()
    half[:, :64] = np.where(disc(128, 40)[:, :64, None] > 0, half[:, :64], 1.0)
    assert flat.background_colour(np.asarray(picture(rgb))) is not None
    assert flat.background_colour(np.asarray(picture(half))) is None
    found = np.asarray(cut_out(picture(half), FixedRemover(disc(128, 40))))[..., 3]
    assert np.abs(found / 255 - disc(128, 40)).mean() < 0.01


def test_nothing_left_is_told() -> None:
    """An empty drawing is an error with a name, not an invisible sticker."""
    with pytest.raises(JobError) as caught:
        cut_out(Image.new("RGB", (128, 128), BACKGROUND), FixedRemover(np.zeros((128, 128))), BACKGROUND)
    assert caught.value.code == "empty-cutout"


def test_the_bundled_network_sees_a_drawing_on_a_gradient(network: Remover) -> None:
    """The bundled network finds a real sample on a background that no key could remove."""
    art = Image.new("RGBA", (256, 256))
    with Image.open(Path(__file__).parents[3] / "data" / "demo" / "backpack.png") as file:
        art.paste(file.convert("RGBA").resize((200, 200)), (28, 28))
    ramp = np.linspace(30, 220, 256).astype(np.uint8)
    background = Image.fromarray(
        np.dstack([*np.meshgrid(ramp, ramp), np.full((256, 256), 90)]).astype(np.uint8)
    )
    background = background.convert("RGBA")
    background.alpha_composite(art)
    found = np.asarray(cut_out(background.convert("RGB"), network).getchannel("A")) > 127
    true = np.asarray(art.getchannel("A")) > 127
    assert (found & true).sum() / (found | true).sum() > 0.9


@pytest.mark.parametrize(
    "part",
    [(slice(150, 190), slice(60, 300)), (slice(0, 40), slice(400, 512)), (slice(500, 512), slice(3, 4))],
)
def test_a_part_has_the_same_alpha_as_in_the_whole_picture(part: flat.Box) -> None:
    """The network works on a window only, read from a file of its own that refers to the other one's weights."""
    network = bundled.BundledRemover()
    ramp = np.linspace(30, 220, 512).astype(np.uint8)
    image = Image.fromarray(np.dstack([*np.meshgrid(ramp, ramp), np.full((512, 512), 90, np.uint8)]))
    with Image.open(bundled.FILE.with_name("demo") / "backpack.png") as art:
        image.paste(art, (0, 0), art.convert("RGBA"))
    assert np.abs(network.alpha(image, part)[part] - network.alpha(image)[part]).max() < 2 / 255


def test_the_network_is_asked_about_the_enclosed_patches_alone() -> None:
    """The part is where they are in the picture, not in the drawing's box."""
    asked: list[flat.Box | None] = []

    class Noting(FixedRemover):
        def alpha(self, image: Image.Image, part: flat.Box | None = None) -> np.ndarray:
            asked.append(part)
            return self._alpha

    ring = np.pad(disc(96, 40) - disc(96, 16), ((20, 12), (4, 28)))
    cut_out(picture(painted(ring, (20, 20, 20), (255, 255, 255))), Noting(ring))
    (part,) = asked
    assert part is not None
    rows, columns = part  # a hole of 32 px around (68, 52), less what its edge has of the drawing
    found = (rows.start, rows.stop, columns.start, columns.stop)
    assert np.abs(np.subtract(found, (52, 84, 36, 68))).max() <= 2


def test_the_networks_haze_is_not_kept() -> None:
    """Where its alpha is nearly 0 or 1, the sticker's is 0 or 1."""
    rgb = painted(disc(128, 40), (220, 60, 20), BACKGROUND)
    hazy = np.clip(disc(128, 40), 0.03, 0.98)
    found = np.asarray(cut_out(picture(rgb), FixedRemover(hazy), by_colour=False).getchannel("A"))
    assert found[0, 0] == 0
    assert found[64, 64] == 255


def test_a_remover_leaves_torchs_threads_as_they_were(network: Remover) -> None:
    """One in tests, as with ``--threads=1``. numba, which rembg imports, would make them as many as there are cores."""
    assert torch.get_num_threads() == 1


def test_another_remover_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader in the table is found by its name and gets the folder for caches; the others stay as they are."""
    given: list[tuple[Path, str]] = []

    def load(cache_dir: Path, name: str) -> Remover:
        given.append((cache_dir, name))
        return FixedRemover(disc(128, 40))

    monkeypatch.setitem(REMOVERS, "another", load)
    found = remover(tmp_path, "another")
    assert given == [(tmp_path, "another")]
    rgb = painted(disc(128, 40), (220, 60, 20), BACKGROUND)
    assert cut_out(picture(rgb), found).getchannel("A").getpixel((64, 64)) == 255
    with pytest.raises(ValueError, match="put the cut-out model's file at"):
        remover(tmp_path, "u2net")


@pytest.mark.parametrize("name", ["bria-rmbg", "isnet-general-use", "withoutbg", "atlascloud"])
def test_models_that_cost_freedom_or_privacy_are_refused(name: str, tmp_path: Path) -> None:
    """The refusal says why."""
    with pytest.raises(ValueError, match="not used here"):
        remover(tmp_path, name)


def test_nothing_is_compiled_before_the_first_cut_out() -> None:
    """rembg's import has PyMatting's functions compiled, which takes a minute and is lost in a read-only container."""
    look = (
        "from lora.drawing.cutout.rembg import library; library();"
        " from pymatting.util.boxfilter import boxfilter_rows_same as one; print(type(one).__name__)"
    )
    found = waiting.run([sys.executable, "-c", look], cwd=Path(__file__).parents[3])
    assert found.stdout.split() == ["function"]


def test_an_operators_own_file_is_used(tmp_path: Path) -> None:
    """The bundled file given by its path is U2-Net's kind, and cuts out; a file that is not there is named."""
    own = remover(tmp_path, str(bundled.FILE))
    rgb = painted(disc(128, 40), (220, 60, 20), BACKGROUND)
    assert own.alpha(picture(rgb)).shape == (128, 128)
    with pytest.raises(ValueError, match="no cut-out model at"):
        remover(tmp_path, str(tmp_path / "missing.onnx"))


def test_every_name_of_rembg_is_allowed_or_refused() -> None:
    """A new name in rembg has to be looked at: its licence, and whether it sends pictures away."""
    assert set(rembg.library().sessions.sessions_names) <= {*LICENCES, *REFUSED}
    assert not {*LICENCES} & {*REFUSED}


def test_a_model_that_is_not_there_is_not_downloaded(tmp_path: Path) -> None:
    """The error names the place where the file belongs."""
    with pytest.raises(ValueError, match="put the cut-out model's file at"):
        remover(tmp_path, "u2net")
