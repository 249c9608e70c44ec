"""The programs that made the bundled weights: drawings -> vae -> text_to_image -> decoder -> pack; and cutout.

Imports ``data``, ``models``, ``adapters``, ``drawing``, ``training`` and ``evaluation``.
"""
