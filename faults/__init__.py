"""Faults injected into the real commands: each must end in the same result or in one clear sentence, nothing lost.

    python -m faults                    # all of them, a table by kind
    python -m faults --kind locks       # one kind
    python -m faults --only lock_of     # those whose names hold these letters
    python -m faults --markdown         # the table of docs/reliability.md

A fault is a function that gets a sandbox (`faults.box.Box`), prepares a situation, runs a command and says what must
hold. What must hold every time is judged by the harness: no traceback, no hang, bounded memory, one sentence on stderr
for a refusal, and not a byte of the user's changed outside the output directory and the cache, or of the user's own in
it. How to add one: docs/reliability.md.
"""
