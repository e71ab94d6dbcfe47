"""English for messages."""


def counted(count: int, noun: str) -> str:
    """`1 sentence`, `2 sentences`; of a noun whose plural is made by an s."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
