"""LoRA layers on a denoiser, and the files that hold them.

Imports ``models``.
"""
