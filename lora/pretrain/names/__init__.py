"""Names of drawings that were chosen by hand: of unseen sets, of sets of one-coloured icons, and held-out synonyms."""
