"""Which checkpoint of a training is the best: drawings are measured and one checkpoint is chosen.

Imports ``data``, ``sheets``, ``models``, ``adapters`` and ``drawing``.
"""
