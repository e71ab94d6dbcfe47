"""One module for each input format. Each yields (place, source, target), with place as `news.tsv:12`."""
