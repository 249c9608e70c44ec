"""All checks together: silent on the example data set, and every kind of finding has its words."""

from __future__ import annotations

import io

from PIL import Image

from lora import checks
from lora.checks import lettering
from lora.data.dataset import read_folder
from lora.jobs import Finding, Sample
from tests.lora.checks.drawings import DEMO, drawing, png


def test_the_example_is_good() -> None:
    """Nothing at all is said of data/demo by the quick checks, nor is there lettering on it."""
    samples = read_folder(DEMO)
    assert checks.look(samples, "bomux") == []
    images = [Image.open(io.BytesIO(sample.picture)).convert("RGBA") for sample in samples]
    assert list(lettering.check(images)) == [None] * 28


def test_every_finding_has_words() -> None:
    """Whatever a check can say has a reason and a remedy, and the order of findings knows it."""
    worst = [Finding(code=code, severity="advice", detail="9") for code in reversed(list(checks.KINDS))]
    assert [f.code for f in checks.in_order(worst)] == list(checks.KINDS)
    for code, kind in checks.KINDS.items():
        assert kind.why, code
        assert kind.advice, code
        assert "/" not in kind.advice, code  # commands of the bot are not the terminal's
    sample = Sample(picture=png(drawing(1)), caption="fox")
    assert {f.code for f in checks.look([sample], "")} <= checks.KINDS.keys()
