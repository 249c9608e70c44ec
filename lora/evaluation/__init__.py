"""Which checkpoint of a training is the best, by its drawings; and which style samples look most like.

Imports ``data``, ``sheets``, ``models``, ``adapters`` and ``drawing``.
"""
