"""Writes files that `torch.load` reads, and reads them again, without torch.

Importing torch takes more than a second, longer than many trainings on the hand-written engine;
there it would be needed for nothing but checkpoints. The format is the zip archive of
`torch.save` (PyTorch documentation, "Serialization semantics"): `data.pkl` is a pickle in which
each tensor is a call of `torch._utils._rebuild_tensor_v2` on a storage, and `data/<key>` holds
that storage's bytes. Only what `torch.load(weights_only=True)` accepts can be written, and only
what is written here is read: a file from a stranger cannot run code.
"""

from __future__ import annotations

import io
import math
import pickle
import struct
import sys
import zipfile
from typing import Any

import numpy as np

from axiomrl.training.buffers import Array, aligned_zeros

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
_TYPES = {storage: np.dtype(name) for name, storage in STORAGES.items()}
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


def loads(data: bytes) -> Any:
    """The value in a file that `dumps` wrote; tensors become arrays, which may be changed.

    Raises UnpicklingError for a file that holds anything else, nothing of which is executed. A
    damaged file may raise any other exception.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return _Reader(archive).load()


class _Reader(pickle.Unpickler):
    """Knows the four names that `dumps` writes, and no others."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        super().__init__(io.BytesIO(archive.read(f"{_ARCHIVE}/data.pkl")))
        self._archive = archive
        self._order = archive.read(f"{_ARCHIVE}/byteorder").decode()

    def find_class(self, module: str, name: str) -> Any:
        """A harmless stand-in; raises UnpicklingError for any other name."""
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuilt
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module == "torch" and name in _TYPES:
            return _TYPES[name]
        raise pickle.UnpicklingError(f"{module}.{name} is refused")

    def persistent_load(self, identity: Any) -> Array:
        """The numbers of one tensor, at an aligned place of their own."""
        _, kind, key, _, count = identity
        stored = np.frombuffer(
            self._archive.read(f"{_ARCHIVE}/data/{key}"), kind.newbyteorder(self._order)
        )
        if len(stored) != count:
            raise pickle.UnpicklingError(f"{len(stored)} numbers are stored, not {count}")
        array = aligned_zeros(count, kind)
        array[:] = stored
        return array


def _rebuilt(storage: Array, offset: int, shape: tuple[int, ...], *layout: Any) -> Array:
    """What `_rebuild_tensor_v2` makes of a whole storage."""
    if offset != 0 or math.prod(shape) != len(storage):
        raise pickle.UnpicklingError("a part of a storage is refused")
    return storage.reshape(shape)


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
