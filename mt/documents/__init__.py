"""Documents: what of a file is translated, and the same file with the translations in place."""
