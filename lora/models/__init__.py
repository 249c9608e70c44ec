"""Base models: where they come from, how they are checked, loaded and described.

Imports ``data``.
"""
