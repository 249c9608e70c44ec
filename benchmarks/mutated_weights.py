"""Mutated adapters and training states, read as the chat and the worker read them, for ``mutations.py``.

A file's bytes are changed, or its header: one value gone or of another kind, in it or in the JSON of its metadata.
The base is the tests' tiny one. An adapter that the chat takes must load and predict; a state must train on.
"""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.bot.test_odd_answers import mutated as mutated_value
from tests.lora.data.test_picture_fuzz import mutated as mutated_bytes

KINDS = ("adapters of people", "adapters on the disk", "states")
Reader = Callable[[bytes], object]


def mutated(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, or one value of the header, or one in the JSON of its metadata."""
    way = rng.randrange(3)
    if way == 0:
        return mutated_bytes(data, rng)
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    if way == 1:
        header = mutated_value(header, rng)
    else:
        entries = header["__metadata__"]
        name = rng.choice([name for name, text in entries.items() if text.startswith("{")] or list(entries))
        entries[name] = json.dumps(mutated_value({"in": json.loads(entries[name])}, rng).get("in"))
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[end:]


def readers() -> dict[str, tuple[list[bytes], Reader, tuple[type[Exception], ...]]]:
    """Of each kind: whole files, how they are read, and the errors that are documented."""
    import torch

    from lora.adapters import fit, lora_layers
    from lora.jobs import Checkpoint, JobError, Progress, Sample, Train, TrainSettings
    from lora.models import base_model
    from lora.training import checkpoints, loop
    from tests import tiny_base
    from tests.lora.adapters.files import predict
    from tests.lora.conftest import disc

    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        base = base_model.load(str(tiny_base.make(Path(folder) / "tiny", steps=0)), Path(folder), "cpu")
    layers = dict(lora_layers.shapes(base))
    settings = TrainSettings(steps=4, batch_size=1, learning_rate=1e-3, rank=4, checkpoint_steps=2)
    samples = tuple(Sample(picture=disc(n), caption=f"ball number {n}") for n in range(2))
    job = Train(id=1, attempt=1, keyword="zorvex", samples=samples, settings=settings)
    saved = next(event for event in loop.train(base, job) if isinstance(event, Checkpoint))

    def draw_with(data: bytes) -> None:
        """As the chat takes somebody's file, and the worker draws with it."""
        fit.check(data, layers)
        load_alone(data)

    def load_alone(data: bytes) -> None:
        """As the worker reads what is on the disk."""
        lora_layers.use_file(base, data)
        try:
            predict(base)
        finally:
            lora_layers.use_file(base, None)

    def train_on(state: bytes) -> None:
        """As the worker goes on with a training."""
        resumed = replace(job, attempt=2, resume=state)
        if checkpoints.differences_from_default_plan(state, base, job):
            return
        checkpoints.used_random_flip(state)
        events = loop.train(base, resumed)
        try:
            next((e for e in events if isinstance(e, Progress) and e.loss is not None), None)
        finally:
            events.close()

    files, how = (saved.adapter, saved.adapter, saved.state), (draw_with, load_alone, train_on)
    return {kind: ([file], read, (JobError,)) for kind, file, read in zip(KINDS, files, how, strict=True)}
