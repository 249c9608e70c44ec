"""Reads an imagefolder for the checks: every bad line is a finding, and the good samples are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from lora.data import imagefolder
from lora.jobs import Finding, Sample


@dataclass(frozen=True, kw_only=True)
class Folder:
    """``samples`` are those that can be used; ``places`` are their numbers among all lines.

    ``names`` are the names of all lines, the bad ones included, and then of the pictures that no line names; a
    finding's number n means ``names[n - 1]``.
    """

    path: Path
    names: tuple[str, ...]
    samples: tuple[Sample, ...]
    places: tuple[int, ...]
    findings: tuple[Finding, ...]

    def numbered(self, findings: Sequence[Finding]) -> list[Finding]:
        """Findings on the usable samples, with the numbers that these have among all lines."""
        return [replace(f, samples=tuple(self.places[n - 1] for n in f.samples)) for f in findings]


def read(path: Path, *, image_column: str, caption_column: str, most: int | None = None) -> Folder:
    """Read all lines, or the first ``most``; then pictures that no line names are not looked for.

    Raises DatasetError without a folder.
    """
    lines = imagefolder.entries(path, image_column=image_column, caption_column=caption_column)
    names, samples, places, several, findings = [], [], [], [], []
    for number, line in enumerate(islice(lines, most), start=1):
        names.append(line.name)
        if isinstance(line, imagefolder.Fault):
            findings.append(Finding(code="unreadable", severity="error", samples=(number,), fault=line.why))
        else:
            samples.append(Sample(picture=line.picture, caption=line.caption))
            places.append(number)
            if len(line.captions) > 1:
                several.append(number)
    if several:
        findings.append(Finding(code="captions-several", severity="advice", samples=tuple(several)))
    if samples and most is None:
        unlisted = imagefolder.unlisted(path, names)
        numbers = tuple(range(len(names) + 1, len(names) + len(unlisted) + 1))
        names += unlisted
        if unlisted:
            findings.append(Finding(code="unlisted", severity="advice", samples=numbers))
    return Folder(
        path=path,
        names=tuple(names),
        samples=tuple(samples),
        places=tuple(places),
        findings=tuple(findings),
    )
