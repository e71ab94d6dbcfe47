"""One module per input format; each yields `Pair`s."""
