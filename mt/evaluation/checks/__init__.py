"""The fidelity checks, each a function of source, hypothesis and glossary.

A check returns None if it does not apply to the source, "" if the hypothesis passes, and otherwise what is wrong, in
words. Whether a check applies depends on the source alone, so the same sentences count for every system.
"""
