"""One module for each input format. Each yields `Pair`s, without the name of their corpus."""
