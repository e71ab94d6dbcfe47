"""The fidelity checks, each a function of source, hypothesis and glossary.

A check returns None where the source gives it nothing to look at, "" where the hypothesis passes, and else what is
wrong, in words. Whether it applies never depends on the hypothesis: the same sentences count for every system.
"""
