"""How the CPU threads of one process wait for each other: environment variables that torch's OpenMP reads once."""

from __future__ import annotations

from collections.abc import Mapping

# libgomp's own choice is a long busy loop. It is fastest on quiet cores. But where other processes want the cores, a
# thread waits in this loop for one that does not run: a step took twenty times as long. PASSIVE has no loop: on quiet
# cores a step takes 1.5 times as long as with the short loop here, on shared ones half as long (the table is in
# docs/findings/sticker-nano.md). Other OpenMP libraries read the first variable only.
WAITING = {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "3000"}


def waiting(known: Mapping[str, str]) -> dict[str, str]:
    """The variables to add to an environment: none where one of them is set."""
    return {} if WAITING.keys() & known.keys() else WAITING
