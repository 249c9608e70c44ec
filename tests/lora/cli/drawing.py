"""``python -m lora draw`` on the tiny base, and what it drew."""

from pathlib import Path

from PIL import Image

from lora.__main__ import main


def draw(tiny_folder: Path, cache_dir: Path, out: Path, *flags: str) -> int:
    prompts = out.with_suffix(".txt")
    prompts.write_text("a cat\n\nкот в очках\n", encoding="utf-8")
    fixed = ["--base", str(tiny_folder), "--prompts", str(prompts), "--cache_dir", str(cache_dir)]
    return main(["draw", *fixed, "--out", str(out), "--steps", "4", *flags])


def pixels(path: Path) -> bytes:
    with Image.open(path) as image:
        return image.tobytes()
