"""python -m lora check: what a training would find in a folder of samples."""

from __future__ import annotations

import argparse

from lora.commands import flags
from lora.commands.terminal import read_samples, say

HELP = "look at a folder of samples before training on it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    flags.add_data(parser)


def run(args: argparse.Namespace) -> None:
    """Say what a training would find: pictures, captions, keyword, ground."""
    from lora.captions import has_keyword, keyword_problem
    from lora.dataset import choose_background, open_samples, see_through
    from lora.nano import BACKGROUNDS

    samples = read_samples(args)
    images = open_samples(samples)
    opaque = sum(not see_through(image) for image in images)
    say(f"{len(samples)} pictures, {opaque} of them without transparency; 20 to 50 are a good number")
    if args.keyword:
        without = sum(not has_keyword(sample.caption, args.keyword) for sample in samples)
        say(f"{without} captions lack the keyword and will get it; as a keyword it is", end=" ")
        say(keyword_problem(args.keyword) or "good")
    say(f"they will be shown on {choose_background(images, BACKGROUNDS)}")
