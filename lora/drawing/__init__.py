"""From a prompt to a sticker file: sampling, cut-out, fitting.

Imports ``data``, ``sheets``, ``models`` and ``adapters``.
"""
