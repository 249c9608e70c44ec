"""One training: its plan, its loss, its loop and its checkpoints.

Imports ``data``, ``models``, ``adapters`` and ``evaluation``.
"""
