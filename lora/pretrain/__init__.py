"""How the bundled weights were made, runnable: drawings -> vae -> text_to_image -> decoder -> pack; and cutout.

Imports ``data``, ``models``, ``adapters`` and ``drawing``.
"""
