"""What the commands read from files of text."""

from pathlib import Path

from lora.cli import terminal


def test_a_byte_order_mark_is_no_part_of_a_prompt(tmp_path: Path) -> None:
    """Editors on Windows write one. Empty lines are ignored."""
    path = tmp_path / "prompts.txt"
    path.write_bytes("\ufeffa cat\r\n\r\n a dog \n".encode())
    assert terminal.read_lines(path) == ["a cat", "a dog"]
