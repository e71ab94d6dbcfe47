"""One file per command: its options, its early checks and its `run`.

A command's module imports nothing slow at the top: `--help` and mistakes answer at once, torch comes with `run`.
"""
