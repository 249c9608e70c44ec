"""Reading a folder for the checks: what its table has wrong, without its texts."""

from __future__ import annotations

from pathlib import Path

from lora.checks import captions, folder
from tests.lora.checks.drawings import write


def test_a_findings_detail_is_nobodys_text(tmp_path: Path) -> None:
    """What a table's lines say stands in ``fault``, which no log shows; ``detail`` is for figures and codes."""
    rows = [{"file_name": "secret.png", "my words": "x"}, '{"file_name": my words}']
    found = folder.read(write(tmp_path, rows), image_column="image", caption_column="text")
    assert [finding.detail for finding in found.findings] == ["", ""]
    assert "'my words'" in found.findings[0].fault
    assert "my words" not in repr(found.findings)
    texts = ["my words " * 40, "my", "zorvex"]
    assert all("my" not in finding.detail for finding in captions.check(texts, "zorvex"))
