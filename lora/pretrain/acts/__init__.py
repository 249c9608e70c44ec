"""Scenes with structure: a character that feels or does something, composed of drawings of one set.

Needs numpy, scipy and Pillow, but no torch, so that many processes can compose at once.
"""
