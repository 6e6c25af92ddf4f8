"""Writes files that `torch.load` reads, without torch.

Importing torch takes more than a second, longer than many trainings on the hand-written engine;
there it would be needed for nothing but checkpoints. The format is the zip archive of
`torch.save` (PyTorch documentation, "Serialization semantics"): `data.pkl` is a pickle in which
each tensor is a call of `torch._utils._rebuild_tensor_v2` on a storage, and `data/<key>` holds
that storage's bytes. Only what `torch.load(weights_only=True)` accepts can be written.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
import zipfile
from typing import Any

import numpy as np

from axiomrl.training.buffers import Array

# NumPy's type -> the name of torch's storage class.
STORAGES = {
    "bool": "BoolStorage",
    "uint8": "ByteStorage",
    "int8": "CharStorage",
    "int16": "ShortStorage",
    "int32": "IntStorage",
    "int64": "LongStorage",
    "float16": "HalfStorage",
    "float32": "FloatStorage",
    "float64": "DoubleStorage",
}
_ARCHIVE = "archive"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # of every entry, so that equal states are equal files


def dumps(value: Any) -> bytes:
    """The bytes of a file that holds dicts, lists, numbers, strings, None and NumPy arrays.

    Arrays become tensors. Raises TypeError for anything else.
    """
    storages: list[Array] = []
    pickled = bytearray(pickle.PROTO + bytes([2]))
    _write(value, pickled, storages)
    pickled += pickle.STOP
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        _add(archive, "data.pkl", bytes(pickled))
        _add(archive, "byteorder", sys.byteorder.encode())
        for key, array in enumerate(storages):
            _add(archive, f"data/{key}", array.tobytes())
        _add(archive, "version", b"3\n")
    return file.getvalue()


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    archive.writestr(zipfile.ZipInfo(f"{_ARCHIVE}/{name}", date_time=_EPOCH), data)


def _write(value: Any, out: bytearray, storages: list[Array]) -> None:
    """Append the pickle opcodes of a value; the arrays met on the way go to `storages`."""
    if isinstance(value, np.ndarray):
        _write_tensor(value, out, storages)
    elif isinstance(value, dict):
        out += pickle.EMPTY_DICT + pickle.MARK
        for key, item in value.items():
            _write(key, out, storages)
            _write(item, out, storages)
        out += pickle.SETITEMS
    elif isinstance(value, (list, tuple)):
        out += (pickle.EMPTY_LIST if isinstance(value, list) else b"") + pickle.MARK
        for item in value:
            _write(item, out, storages)
        out += pickle.APPENDS if isinstance(value, list) else pickle.TUPLE
    else:
        out += _scalar(value)


def _scalar(value: Any) -> bytes:
    if value is None:
        return pickle.NONE
    if isinstance(value, bool):
        return pickle.NEWTRUE if value else pickle.NEWFALSE
    if isinstance(value, int):
        size = value.bit_length() // 8 + 1
        return pickle.LONG1 + bytes([size]) + value.to_bytes(size, "little", signed=True)
    if isinstance(value, float):
        return pickle.BINFLOAT + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode("utf-8", "surrogatepass")
        return pickle.BINUNICODE + struct.pack("<I", len(data)) + data
    raise TypeError(f"a {type(value).__name__} cannot be saved in a checkpoint")


def _write_tensor(array: Array, out: bytearray, storages: list[Array]) -> None:
    """`_rebuild_tensor_v2(storage, offset, shape, strides, requires_grad, backward hooks)`."""
    whole = np.ascontiguousarray(array).reshape(array.shape)
    storage = f"torch\n{STORAGES[whole.dtype.name]}\n".encode()
    out += pickle.GLOBAL + b"torch._utils\n_rebuild_tensor_v2\n" + pickle.MARK
    out += pickle.MARK + _scalar("storage") + pickle.GLOBAL + storage
    out += _scalar(str(len(storages))) + _scalar("cpu") + _scalar(whole.size)
    out += pickle.TUPLE + pickle.BINPERSID
    strides = tuple(stride // whole.itemsize for stride in whole.strides)
    for argument in (0, whole.shape, strides, False):
        _write(argument, out, storages)
    out += pickle.GLOBAL + b"collections\nOrderedDict\n" + pickle.EMPTY_TUPLE + pickle.REDUCE
    out += pickle.TUPLE + pickle.REDUCE
    storages.append(whole)
