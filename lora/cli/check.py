"""python -m lora check: what is wrong with a folder of samples, told before a training on it."""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lora.cli import flags
from lora.cli.terminal import UsageError, load_base, say, say_json
from lora.models import sticker_nano

if TYPE_CHECKING:
    from lora.checks.folder import Folder
    from lora.jobs import Finding

HELP = "look at a folder of samples before training on it"

SIGNS = {"error": "✗", "warning": "!", "advice": "·"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("dir", type=Path, nargs="?", help="pictures with a metadata.jsonl or .csv")
    flags.add_data(parser, required=False)
    add("--base", default=sticker_nano.NAME, help="whose VAE must be able to hold the drawings")
    add("--quick", action="store_true", help="captions and sizes only: no lettering, no base, no torch")
    add("--json", action="store_true", help="print the findings for programs")
    flags.add_machine(parser)


def run(args: argparse.Namespace) -> int:
    """Print the findings. Returns 1 if one of them prevents a training, else 0."""
    from lora import checks
    from lora.checks import captions, folder

    where = args.dir or args.train_data_dir
    if where is None:
        raise UsageError("which folder? python -m lora check DIR")
    columns = {"image_column": args.image_column, "caption_column": args.caption_column}
    found = folder.read(where, most=args.max_train_samples, **columns)
    keyword = args.keyword or captions.shared_keyword([sample.caption for sample in found.samples])
    findings = list(found.findings)
    if found.samples:
        side_px, slow = (checks.pictures.LEAST_SIDE_PX, []) if args.quick else _with_networks(found, args)
        findings += found.numbered([*checks.look(found.samples, keyword, side_px=side_px), *slow])
    findings = checks.in_order(findings)
    if args.json:
        say_json(_report(found, findings, keyword, args), indent=1)
    else:
        _tell(found, findings, keyword, args)
    return int(any(finding.severity == "error" for finding in findings))


def _with_networks(found: Folder, args: argparse.Namespace) -> tuple[int, list[Finding]]:
    """The base's resolution in px, and the findings that need networks."""
    from lora.checks import detail, lettering
    from lora.data.dataset import SamplePictures

    base = load_base(args.base, args, exact=True)
    images = SamplePictures(found.samples)
    findings = [*lettering.check(images), *detail.check(base, images)]
    return base.resolution, [finding for finding in findings if finding is not None]


def _report(
    found: Folder, findings: Sequence[Finding], keyword: str, args: argparse.Namespace
) -> dict[str, Any]:
    from lora.checks import KINDS

    words = _keywords(found)
    return {
        "folder": str(found.path),
        "pictures": len(found.samples),
        "keyword": keyword,
        "trainable": not any(finding.severity == "error" for finding in findings),
        "looked_for": [code for code in KINDS if not (args.quick and code in ("lettering", "fine-detail"))],
        "findings": [
            {
                "severity": finding.severity,
                "code": finding.code,
                "samples": list(finding.samples),
                "files": [found.names[number - 1] for number in finding.samples],
                "detail": finding.fault or finding.detail,
                "says": KINDS[finding.code].says.format_map(vars(finding)),
                "why": KINDS[finding.code].why,
                "advice": KINDS[finding.code].advice.format(words=words),
            }
            for finding in findings
        ],
    }


def _keywords(found: Folder) -> str:
    """Three possible keywords; the same captions always give the same ones."""
    from lora.data.captions import suggest_keywords

    seed = zlib.crc32("\n".join(sample.caption for sample in found.samples).encode())
    first, second, third = suggest_keywords(3, seed)
    return f"{first}, {second} or {third}"


def _tell(found: Folder, findings: Sequence[Finding], keyword: str, args: argparse.Namespace) -> None:
    """Print a paragraph for each code with all its files, and the counts."""
    from lora.checks import KINDS

    named = f"keyword {keyword}" if keyword else "no keyword"
    words, many = _keywords(found), len(found.samples)
    say(f"{found.path}: {many} usable picture{'' if many == 1 else 's'}, {named}")
    for code in dict.fromkeys(finding.code for finding in findings):
        same = [finding for finding in findings if finding.code == code]
        say(f"\n{SIGNS[same[0].severity]} {same[0].severity}: {code}")
        for finding in same:
            names = ", ".join(found.names[number - 1] for number in finding.samples)
            says = KINDS[code].says.format_map(vars(finding))
            say(f"    {names}: {says}" if names else f"    {says}")
        say(f"  Why: {KINDS[code].why}.\n  Do:  {KINDS[code].advice.format(words=words)}.")
    counts = {level: sum(f.severity == level for f in findings) for level in SIGNS}
    say("\n" + ("; ".join(f"{n} {level}" for level, n in counts.items() if n) or "nothing to complain about"))
    if args.quick:
        say("not looked for with --quick: lettering, detail that the base cannot hold")
    else:
        say("lettering is found in Latin letters only, and about half of it")
