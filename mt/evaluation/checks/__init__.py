"""The fidelity checks, each a function of source, hypothesis and glossary.

A check returns None where it has nothing to look at, "" where the hypothesis passes, and else what is wrong, in words.
"""
