"""A worker without a model, for tests of the engine: what it does is the prompt of a draw.

A training is answered with the number, the bytes and the SHA-256 of its pictures. It speaks the real wire and has the
real heartbeat, and starts in a fraction of a second because it imports no torch.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from typing import Any

from lora.engine import wire
from lora.engine.heartbeat import HeartbeatThread
from lora.jobs import Checkpoint, Draw, Failed, Finished, Ready, Train, TrainSettings


def main() -> None:
    """Answer jobs until stdin is closed."""
    out = os.fdopen(os.dup(1), "wb")

    def send(message: Any) -> None:
        out.write(wire.pack(message))
        out.flush()

    heartbeat = HeartbeatThread(send)
    heartbeat.start()
    send(wire.Devices(names=("cuda:0", "cuda:1", "cuda:2")))
    device = sys.argv[1] if len(sys.argv) > 1 else "cpu"
    send(
        Ready(
            worker="",
            base="none",
            base_hash="0",
            device=device,
            defaults=TrainSettings(),
            example_prompt="an owl",
        )
    )
    heartbeat.mark(idle=True)
    while (job := wire.read(sys.stdin.buffer)) is not None:
        heartbeat.mark(idle=False)
        answer(job, send)
        heartbeat.mark(idle=True)


def answer(job: Any, send: Any) -> None:
    if isinstance(job, Train):
        pictures = [sample.picture for sample in job.samples]
        digest = hashlib.sha256(b"".join(pictures) if len(pictures) < 10 else b"").hexdigest()
        detail = f"{len(pictures)} {sum(map(len, pictures))} {digest}"
        send(Failed(job=job.id, attempt=job.attempt, code="internal", detail=detail))
        return
    if not isinstance(job, Draw):
        return
    if job.prompt == "hang":
        time.sleep(1000)
    if job.prompt == "die":
        os._exit(1)
    if job.prompt == "flood":
        for step in range(60):
            send(Checkpoint(job=job.id, attempt=1, step=step, adapter=bytes(1 << 20), state=b""))
    send(Finished(job=job.id, attempt=job.attempt))


if __name__ == "__main__":
    main()
