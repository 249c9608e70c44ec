"""Pictures, captions and tables: what a style is learned from.

Imports no other package.
"""
