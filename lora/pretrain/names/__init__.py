"""Names that were chosen by hand: of unseen drawings, icons, held-out scenes and words; and the table of styles."""
