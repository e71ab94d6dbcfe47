"""Scores, comparisons and the report."""
