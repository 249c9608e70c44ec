"""From a prompt to a sticker file: sampling, cut-out, fitting.

Imports ``safety``, ``data``, ``sheets``, ``models`` and ``adapters``.
"""
