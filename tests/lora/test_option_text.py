"""Options as people write them."""

import pytest
from PIL import ImageColor

from lora import option_text
from lora.option_text import NotAnOption


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("7", (7.0,)),
        ("2,5", (2.5,)),
        ("3,5,8", (3.0, 5.0, 8.0)),
        ("3, 5, 8", (3.0, 5.0, 8.0)),
        ("3, 8", (3.0, 8.0)),
        ("2,5;8", (2.5, 8.0)),
        ("2.5,4,8,", (2.5, 4.0, 8.0)),
    ],
)
def test_one_cfg_or_a_sweep(text: str, values: tuple[float, ...]) -> None:
    """One comma alone is a decimal mark; more of them, or one with a space, separate values."""
    assert option_text.read_cfg(text, 1, 20) == values


@pytest.mark.parametrize(
    "text", ["", "x", "nan", "0", "21", "3,,5", "3,3,5", "3;x", "1_0", "1e1", "٧", "3,1_0,5", "."]
)
def test_no_cfg(text: str) -> None:
    """Numbers outside the range, and the same one twice, are refused."""
    with pytest.raises(NotAnOption):
        option_text.read_cfg(text, 1, 20)


@pytest.mark.parametrize("text", ["1_0", "0_1", "1e0", "٠", "-0"])
def test_no_strength(text: str) -> None:
    """Digits only."""
    assert option_text.read_strength(".7") == option_text.read_strength("0,7") == 0.7
    with pytest.raises(NotAnOption):
        option_text.read_strength(text)


def test_seeds_are_read_as_they_are_written() -> None:
    """A seed alone, and the way to a drawing near it."""
    for seed, near in ((42, ()), (0, (7,)), (42, (7, 0, 9))):
        assert option_text.read_seed(option_text.seed_text(seed, near), 100) == (seed, near)
    for text in ("", "-1", "x", "1~", "~1", "101", "1~101", "1.5", "~".join("1" * 30)):
        with pytest.raises(NotAnOption):
            option_text.read_seed(text, 100)


def test_colours_of_the_outline() -> None:
    """Names and #rrggbb, in any case, also after Pillow has used a colour: then its table has a tuple."""
    ImageColor.getrgb("white")
    found = [option_text.read_outline(text) for text in ("none", "White", "#FF3366")]
    assert found == ["none", "#ffffff", "#ff3366"]
    for text in ("", "plaid", "#fff", "ff3366", "#gg0000", "#ff33660"):
        with pytest.raises(NotAnOption):
            option_text.read_outline(text)
