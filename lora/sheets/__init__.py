"""Contact sheets and plots, for people to look at. No torch here.

Imports no other package.
"""
