"""New prompts: ordinary, the same every time, and in no caption."""

import pytest

from lora.evaluation.probe_prompts import THINGS, PromptError, check_new, new_prompts


def test_what_a_caption_names_is_left_out() -> None:
    """In any number and case, and with any words around it; the rest comes in its order."""
    captions = ["zorvex two Cats on a tree", "a rocket's flame", "cherries"]
    found = new_prompts(captions, 8)
    assert found == [
        "a red car",
        "a dog",
        "a house",
        "a cup of coffee",
        "a robot",
        "a bicycle",
        "an owl",
        "a pizza",
    ]
    assert "a cherry" not in new_prompts(captions, 20)
    assert new_prompts(captions, 8) == found


def test_too_few_are_an_error() -> None:
    """Not fewer prompts in silence."""
    with pytest.raises(PromptError, match="only 0 of"):
        new_prompts(THINGS, 1)


@pytest.mark.parametrize("prompt", ["a grey bird's head", "Zorvex a grey bird’s head!", "grey bird head"])
def test_a_training_caption_is_refused(prompt: str) -> None:
    """Whatever its keyword, case, articles and punctuation."""
    with pytest.raises(PromptError, match="is a training caption"):
        check_new(["a cat", prompt], ["zorvex a grey bird's head"], "zorvex")


def test_other_prompts_pass() -> None:
    """One word more is another prompt."""
    check_new(["a grey bird's head with a hat"], ["zorvex a grey bird's head"], "zorvex")
