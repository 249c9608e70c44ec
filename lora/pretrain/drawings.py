"""The drawings for all bundled weights: they are fetched, named, rendered, and split into training and held-out ones.

    python -m lora.pretrain.drawings fetch  --dir data/cache/drawings   # npm packages -> named.json.xz
    python -m lora.pretrain.drawings render --dir data/cache/drawings   # -> drawings.safetensors, drawings.json

Six openly licensed sets use the same names for concepts, so that one subject exists in several styles. Names and tags
come from emojibase (MIT). Icons of one colour, of five more sets, are coloured and written to files of their own,
``icons.safetensors`` and ``icons.json``: measurements compare with the six sets only. The concepts in ``held_out`` are
in no training. Four more sets, ``UNSEEN``, are in none either: in measurements they are the styles that a person
brings.
"""

from __future__ import annotations

import argparse
import json
import lzma
import re
import subprocess
import sys
import tarfile
import unicodedata
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from lora.pretrain.looks.painted import painted
from lora.pretrain.names.icons import ICONS, WRONG
from lora.pretrain.names.unseen import BY_STYLE

# style name in captions -> (npm package, version, licence)
SETS = {
    "noto": ("@iconify-json/noto", "1.2.9", "Apache-2.0"),
    "noto classic": ("@iconify-json/noto-v1", "1.2.5", "Apache-2.0"),
    "fluent 3d": ("@iconify-json/fluent-emoji", "1.2.7", "MIT"),
    "fluent flat": ("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT"),
    "twemoji": ("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0"),
    "emojione": ("@iconify-json/emojione", "1.2.3", "CC-BY-4.0"),
}
# In no training. Streamline Stickies is the style of the demo; measurements train adapters on all four.
UNSEEN = {
    "fxemoji": ("@iconify-json/fxemoji", "1.2.2", "Apache-2.0"),
    "flat color icons": ("@iconify-json/flat-color-icons", "1.2.3", "MIT"),
    "streamline stickies": ("@iconify-json/streamline-stickies-color", "1.2.2", "CC-BY-4.0"),
    "streamline kameleon": ("@iconify-json/streamline-kameleon-color", "1.2.2", "CC-BY-4.0"),
}
# In no training either: the judge of scenes learns from these, beside fxemoji and flat color icons.
JUDGES = {
    "openmoji": ("@iconify-json/openmoji", "1.2.29", "CC-BY-SA-4.0"),
    "emojione first": ("@iconify-json/emojione-v1", "1.2.3", "CC-BY-SA-4.0"),
    "streamline emojis": ("@iconify-json/streamline-emojis", "1.2.4", "CC-BY-4.0"),
}
OLD_FORMS = ("-face-1", "-1", "-face")  # ends of names in the two latter sets: ``fox-face-1``, ``pizza-1``
NAMES = ("emojibase-data", "17.0.0", "MIT")

GROUPS = (0, 1, 3, 4, 5, 6, 7)  # smileys, people, animals, food, travel, activities, objects
NO_GROUP = -1  # for concepts that only an unseen set has
SIZE = 256
FULL = 0.98  # a drawing with a higher mean alpha fills the square: there is no background to cut away
HELD_OUT_CONCEPTS = 40  # of those that all six sets have, so at least 200 drawings


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One named drawing of one set. ``concept`` is the same for the same subject in every set."""

    style: str
    concept: str
    tags: tuple[str, ...]
    group: int
    svg: str


def slug(label: str) -> str:
    """An emoji's name as the icon sets write it: ``face with tears of joy`` -> ``face-with-tears-of-joy``."""
    plain = unicodedata.normalize("NFKD", label).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain.replace("'", "").replace(".", "")).strip("-")


def npm_pack(package: str, version: str, folder: Path) -> Path:
    """Fetch and unpack one npm package, without running its scripts. Returns its folder."""
    target = folder / slug(f"{package}-{version}")
    if (target / "package" / "package.json").exists():
        return target / "package"
    target.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [
            "npm",
            "pack",
            "--silent",
            "--ignore-scripts",
            "--pack-destination",
            str(target),
            f"{package}@{version}",
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    (archive,) = target.glob("*.tgz")
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    archive.unlink()
    return target / "package"


def named_drawings(folder: Path) -> list[Drawing]:
    """Every icon of the six sets, of ``UNSEEN``, ``JUDGES`` and ``ICONS`` that has a name, without skin tones.

    Three unseen sets are named by ``names.unseen``, all other sets by emojibase.
    """
    emoji = json.loads((npm_pack(NAMES[0], NAMES[1], folder) / "en" / "data.json").read_text())
    entries = [e for e in emoji if e.get("group") in GROUPS]
    found = []
    sets = {**SETS, **UNSEEN, **JUDGES, **{style: row[:3] for style, row in ICONS.items()}}
    for style, (package, version, _) in sets.items():
        icons = json.loads((npm_pack(package, version, folder) / "icons.json").read_text())
        names = _names(style, entries)
        found += [
            _drawing(style, names[name], _svg(icon, icons))
            for name, icon in icons["icons"].items()
            if name in names and not icon.get("hidden")
        ]
    return found


def _names(style: str, entries: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Icon name -> emojibase's entry, or an entry with only a label if no emoji shows the same."""
    if style in BY_STYLE:
        labels = {entry["label"].lower(): entry for entry in entries}
        return {icon: labels.get(words, {"label": words}) for icon, words in BY_STYLE[style].items()}
    if style in ICONS:
        names = {slug(e["label"]): e for e in entries if slug(e["label"]) not in WRONG[style]}
        return {name + ICONS[style][3]: entry for name, entry in names.items()}
    if style in JUDGES:
        slugs = {slug(e["label"]): e for e in entries}
        return {name + end: entry for end in OLD_FORMS for name, entry in slugs.items()} | slugs
    run_together = style == "fxemoji"
    return {slug(e["label"]).replace("-", "" if run_together else "-"): e for e in entries}


def _drawing(style: str, entry: dict[str, Any], svg: str) -> Drawing:
    return Drawing(
        style=style,
        concept=entry["label"].lower(),
        tags=tuple(entry.get("tags", ())),
        group=entry.get("group", NO_GROUP),
        svg=svg,
    )


def _svg(icon: dict[str, Any], icons: dict[str, Any]) -> str:
    left, top = icon.get("left", 0), icon.get("top", 0)
    width, height = icon.get("width", icons.get("width", 16)), icon.get("height", icons.get("height", 16))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}" width="{SIZE}" height="{SIZE}">{icon["body"]}</svg>'
    )


def held_out(drawings: Sequence[Drawing]) -> frozenset[str]:
    """The concepts that are in no training: a fixed random choice of those that all six sets have."""
    shared = shared_concepts(drawings)
    return frozenset(Random(2026).sample(shared, HELD_OUT_CONCEPTS))


def shared_concepts(drawings: Sequence[Drawing]) -> list[str]:
    """Concepts that all six training sets draw, sorted."""
    styles: dict[str, set[str]] = {}
    for drawing in drawings:
        if drawing.style in SETS:
            styles.setdefault(drawing.concept, set()).add(drawing.style)
    return sorted(concept for concept, of in styles.items() if len(of) == len(SETS))


def render(svg: str, size: int = SIZE) -> np.ndarray[Any, Any]:
    """An SVG as straight-alpha RGBA, uint8 [size, size, 4]; colour under alpha 0 is zero."""
    import io

    import resvg_py
    from PIL import Image

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=size, height=size, skip_system_fonts=True))
    rgba = np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).copy()
    rgba[rgba[..., 3] == 0] = 0
    return rgba


def unseen(
    named: Iterable[Drawing], style: str, size: int = SIZE
) -> tuple[list[Drawing], list[np.ndarray[Any, Any]]]:
    """An ``UNSEEN`` style's drawings, one a concept, sorted by it, and each as RGBA (as ``render`` gives it).

    Those that fill the square are left out. ``named`` is what ``load_named`` gives.
    """
    if style not in UNSEEN:
        raise ValueError(f"{style!r}: the unseen styles are {', '.join(UNSEEN)}")
    first: dict[str, Drawing] = {}
    for drawing in named:
        if drawing.style == style:
            first.setdefault(drawing.concept, drawing)
    drawings = [first[concept] for concept in sorted(first)]
    with ProcessPoolExecutor() as pool:
        svgs = [drawing.svg for drawing in drawings]
        pictures = list(pool.map(render, svgs, [size] * len(svgs), chunksize=8))
    cut = [i for i, picture in enumerate(pictures) if is_cut_out(picture)]
    return [drawings[i] for i in cut], [pictures[i] for i in cut]


def is_cut_out(rgba: np.ndarray[Any, Any]) -> bool:
    """Whether a part of it is visible and a part is transparent."""
    return bool(rgba.any()) and float(rgba[..., 3].mean()) <= FULL * 255


def fetch(folder: Path) -> Path:
    """Write ``named.json.xz``: all that rendering needs, in a small file that can be copied to another machine."""
    folder.mkdir(parents=True, exist_ok=True)
    drawings = named_drawings(folder)
    target = folder / "named.json.xz"
    with lzma.open(target, "wt", preset=6) as out:
        json.dump([asdict(d) for d in drawings], out)
    return target


def load_named(folder: Path) -> list[Drawing]:
    """The drawings from ``named.json.xz``, which ``fetch`` wrote."""
    with lzma.open(folder / "named.json.xz", "rt") as file:
        return [Drawing(**{**d, "tags": tuple(d["tags"])}) for d in json.load(file)]


def rendered(folder: Path, size: int = SIZE) -> Path:
    """The file of ``render_all`` for drawings of ``size`` pixels a side; a .json file beside it has their names."""
    return folder / ("drawings.safetensors" if size == SIZE else f"drawings-{size}.safetensors")


def render_all(folder: Path, size: int = SIZE) -> None:
    """Write ``drawings.safetensors`` (pictures uint8 [N, 4, size, size], held_out bool [N]) and ``drawings.json``.

    Drawings that fill the square are left out, and so are those of ``UNSEEN`` sets. If size is not 256, both file names
    end with it.
    """
    import torch
    from safetensors.torch import save_file

    drawings = [d for d in load_named(folder) if d.style in SETS]
    drawings.sort(key=lambda d: (d.style, d.concept))
    out = held_out(drawings)
    # The slowest set first, so that no process works on it alone at the end.
    order = sorted(range(len(drawings)), key=lambda i: drawings[i].style != "fluent 3d")
    with ProcessPoolExecutor() as pool:
        svgs = [drawings[i].svg for i in order]
        made = dict(zip(order, pool.map(render, svgs, [size] * len(svgs), chunksize=8), strict=True))
    kept = [i for i in range(len(drawings)) if is_cut_out(made[i])]
    pictures = torch.from_numpy(np.stack([made[i] for i in kept])).permute(0, 3, 1, 2).contiguous()
    mask = torch.tensor([drawings[i].concept in out for i in kept])
    target = rendered(folder, size)
    target.with_suffix(".json").write_text(
        json.dumps([{k: v for k, v in asdict(drawings[i]).items() if k != "svg"} for i in kept])
    )
    # Written last and then renamed: if it exists, both files are whole.
    save_file({"pictures": pictures, "held_out": mask}, target.with_suffix(".part"))
    target.with_suffix(".part").rename(target)
    print(f"{len(kept)} drawings, {int(mask.sum())} of them held out")


def render_icons(folder: Path) -> None:
    """Write ``icons.safetensors`` (pictures uint8 [N, 4, 256, 256]) and ``icons.json``, coloured.

    Icons of held-out concepts are left out.
    """
    import torch
    from safetensors.torch import save_file

    named = load_named(folder)
    out = held_out(named)
    drawings = [d for d in named if d.style in ICONS and d.concept not in out]
    made = [painted(render(d.svg), Random(f"{d.style} {d.concept}")) for d in drawings]
    kept = [i for i in range(len(drawings)) if is_cut_out(made[i])]
    rows = [{k: v for k, v in asdict(drawings[i]).items() if k != "svg"} for i in kept]
    (folder / "icons.json").write_text(json.dumps(rows))
    pictures = torch.from_numpy(np.stack([made[i] for i in kept])).permute(0, 3, 1, 2).contiguous()
    save_file({"pictures": pictures}, folder / "icons.part")
    (folder / "icons.part").rename(folder / "icons.safetensors")
    print(f"{len(kept)} icons")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m lora.pretrain.drawings", description=__doc__)
    parser.add_argument("verb", choices=["fetch", "render"])
    parser.add_argument("--dir", type=Path, default=Path("data/cache/drawings"))
    parser.add_argument("--size", type=int, default=SIZE, help="pixels of a side; 512 for the decoder")
    args = parser.parse_args(argv)
    if args.verb == "fetch":
        print(fetch(args.dir))
    else:
        if args.size == SIZE:
            render_icons(args.dir)
        render_all(args.dir, args.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
