"""Tiny files in the very formats in which the data sets are published."""

import gzip
import io
import struct
import tarfile

import numpy as np


def python2_batch(data: np.ndarray, **lists: list) -> bytes:
    """What Python 2's cPickle wrote of a dictionary with the uint8 array "data" [n, 3072] and some lists, opcode by opcode."""

    def text(value: str) -> bytes:
        return b"U" + bytes([len(value)]) + value.encode()

    def item(value) -> bytes:
        return text(value) if isinstance(value, str) else b"K" + bytes([value])

    raw = data.tobytes()
    dtype = b"cnumpy\ndtype\n(U\x02u1K\x00K\x01tR(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    shape = b"(M" + struct.pack("<H", data.shape[0]) + b"M" + struct.pack("<H", data.shape[1]) + b"t"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00tU\x01btR(K\x01"
        + shape
        + dtype
        + b"\x89T"
        + struct.pack("<I", len(raw))
        + raw
        + b"tb"
    )
    entries = text("data") + array + b"".join(text(k) + b"](" + b"".join(map(item, v)) + b"e" for k, v in lists.items())
    return b"\x80\x02}(" + entries + b"u."


def tar_gz(**members: bytes) -> bytes:
    """A tar.gz; "__" in a key stands for the slash."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for key, body in members.items():
            info = tarfile.TarInfo(key.replace("__", "/"))
            info.size = len(body)
            tar.addfile(info, io.BytesIO(body))
    return buffer.getvalue()


def cifar10(images: np.ndarray, labels: np.ndarray, classes: list[str]) -> bytes:
    """cifar-10-python.tar.gz of n NHWC images, of which each of the six batches gets a sixth."""
    flat = images.transpose(0, 3, 1, 2).reshape(len(images), -1)
    parts = np.split(np.arange(len(images)), 6)
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    batches = {n: python2_batch(flat[p], labels=labels[p].tolist()) for n, p in zip(names, parts, strict=True)}
    batches["batches.meta"] = python2_batch(np.zeros((1, 1), np.uint8), label_names=classes)
    # Stored in another order than they are read in, as in the real archive.
    return tar_gz(**{f"cifar-10-batches-py__{n}": batches[n] for n in sorted(batches)})


def idx_gz(array: np.ndarray) -> bytes:
    """A gzipped idx file of a uint8 array."""
    return gzip.compress(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


def npy(array: np.ndarray) -> bytes:
    """An .npy file."""
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
