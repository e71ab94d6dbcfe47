"""Corpora in, splits out."""
