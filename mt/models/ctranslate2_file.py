"""Checks the layout of CTranslate2's `model.bin`, which the engine trusts: a flipped bit could crash the process.

Little-endian: version, name of the specification, its revision, the variables (name, dimensions, type, bytes, data),
then aliases of variables.
"""

from __future__ import annotations

import math
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np

from mt.errors import ModelError

_ITEM_BYTES = {0: 4, 1: 1, 2: 2, 3: 4, 4: 2, 5: 2}
"""Bytes per number, by CTranslate2's type: 0 float32, 1 int8, 2 int16, 3 int32, 4 float16, 5 bfloat16."""
_FLOATS = {0: "<f4", 4: "<f2"}
_PRECISIONS = {0: "float32", 1: "int8", 2: "int16", 4: "float16", 5: "bfloat16"}
_VERSIONS = range(4, 7)
_MAX_NAME_BYTES, _MAX_DIMENSIONS, _MAX_HEADS = 1000, 4, 2**10

Shape = tuple[int, ...]


def check_model_file(file: Path, vocabulary_size: int) -> None:
    """Raise `ModelError` if `file` is damaged, or its embeddings do not have `vocabulary_size` rows.

    Files of unknown versions are left to the engine.
    """
    try:
        with file.open("rb") as stream:
            variables = _read_variables(stream, file.stat().st_size)
    except (OSError, ValueError, struct.error) as error:
        raise ModelError(f"{file}: the CTranslate2 model is damaged ({error}); convert it again") from error
    for name, shape in variables.items():
        if name.endswith(("embeddings/weight", "embeddings_0/weight")) and shape[:1] != (vocabulary_size,):
            raise ModelError(
                f"{file}: {name} is {'×'.join(map(str, shape))}, and the vocabulary beside it has {vocabulary_size} "
                "tokens; convert the model again"
            )


def stored_precision(file: Path) -> str:
    """The precision of a model's embeddings, such as `int8`; empty if the file is damaged or of an unknown version."""
    try:
        with file.open("rb") as stream:
            if _number(stream, "<I") not in _VERSIONS:
                return ""
            _name(stream)
            _number(stream, "<I")
            for _ in range(_number(stream, "<I")):
                name = _name(stream)
                _shape(stream, name)
                kind, count = _number(stream, "<B"), _number(stream, "<I")
                if name.endswith(("embeddings/weight", "embeddings_0/weight")):
                    return _PRECISIONS.get(kind, "")
                stream.seek(count, 1)
    except (OSError, ValueError, struct.error):
        pass
    return ""


def _read_variables(stream: BinaryIO, size: int) -> dict[str, Shape]:
    """Shapes by name. Raises `ValueError` or `struct.error`."""
    if _number(stream, "<I") not in _VERSIONS:
        return {}
    _name(stream)
    _number(stream, "<I")
    shapes: dict[str, Shape] = {}
    for _ in range(_number(stream, "<I")):
        name = _name(stream)
        shapes[name] = _read_variable(stream, name, size)
    for _ in range(_number(stream, "<I")):
        alias, variable = _name(stream), _name(stream)
        if variable not in shapes:
            raise ValueError(f"{alias} is an alias of {variable}, which is missing")
        shapes[alias] = shapes[variable]
    if stream.tell() != size:
        raise ValueError(f"{size - stream.tell()} bytes too many")
    return shapes


def _read_variable(stream: BinaryIO, name: str, size: int) -> Shape:
    shape = _shape(stream, name)
    kind, count = _number(stream, "<B"), _number(stream, "<I")
    if kind not in _ITEM_BYTES or math.prod(shape) * _ITEM_BYTES[kind] != count or stream.tell() + count > size:
        raise ValueError(f"{name} has another size than it declares")
    if kind in _FLOATS:
        if not bool(np.isfinite(np.frombuffer(stream.read(count), _FLOATS[kind])).all()):
            raise ValueError(f"{name} holds NaN or infinite numbers")
        return shape
    if name.endswith("num_heads"):
        heads = int.from_bytes(stream.read(count), "little", signed=True)
        if not 1 <= heads <= _MAX_HEADS:
            raise ValueError(f"{name} is {heads}")
        return shape
    stream.seek(count, 1)
    return shape


def _shape(stream: BinaryIO, name: str) -> Shape:
    rank = _number(stream, "<B")
    if rank > _MAX_DIMENSIONS:
        raise ValueError(f"{name} has {rank} dimensions")
    return tuple(_number(stream, "<I") for _ in range(rank))


def _number(stream: BinaryIO, form: str) -> int:
    return int(struct.unpack(form, stream.read(struct.calcsize(form)))[0])


def _name(stream: BinaryIO) -> str:
    """A string: its length in 2 bytes, then the characters, then a zero byte."""
    length = _number(stream, "<H")
    if not 1 <= length <= _MAX_NAME_BYTES:
        raise ValueError(f"a name of {length} bytes")
    name = stream.read(length)
    if len(name) < length:
        raise ValueError("it ends too early")
    return name.removesuffix(b"\0").decode("ascii")
