"""A training and what to do with it, as notebooks that were run; ``execute.py`` runs them again."""
