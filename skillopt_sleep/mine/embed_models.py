"""Embedders that read a model from a local folder; nothing is ever downloaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from skillopt.errors import ConfigError
from skillopt_sleep.mine.embed import Vectors
from skillopt_sleep.mine.words import tokens

_GRAPHS = ("model.onnx", "onnx/model.onnx", "model_quantized.onnx", "onnx/model_quantized.onnx")
_PARTS = (".json", ".txt", ".model", ".safetensors", ".bin", ".onnx", ".data")
_LONGEST = 256
_CHUNK = 1 << 20


class SentenceTransformers:
    """A folder of a sentence-transformers model, run by torch on the processor."""

    needs = ("sentence_transformers",)
    install = "pip install sentence-transformers faiss-cpu"

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError when the folder or the package is not there, or the model cannot be read."""
        _require(SentenceTransformers, "sentence-transformers", folder, is_sentence_model(folder))
        from sentence_transformers import SentenceTransformer

        self._model: Any = _loaded(
            folder,
            lambda: SentenceTransformer(
                str(folder), device="cpu", local_files_only=True, trust_remote_code=False
            ),
        )
        self.name = f"sentence-transformers-{model_digest(folder)}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        return _each_once(texts, self._encode)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        # In order of length, so that few are padded; the order must not depend on what stands beside them.
        order = sorted(range(len(texts)), key=lambda i: (-len(texts[i]), texts[i]))
        found = self._model.encode(
            [texts[i] for i in order], batch_size=32, convert_to_numpy=True, show_progress_bar=False
        )
        out = np.empty((len(texts), found.shape[1]), dtype=np.float32)
        out[order] = found
        return out


class Onnx:
    """A folder with `model.onnx` (or `onnx/model.onnx`) and `tokenizer.json`, run by onnxruntime."""

    needs = ("onnxruntime", "tokenizers")
    install = "pip install onnxruntime tokenizers faiss-cpu"

    def __init__(self, folder: Path) -> None:
        """Raises ConfigError when the folder or a package is not there, or the model cannot be read."""
        _require(Onnx, "onnx", folder, is_onnx_model(folder))
        from onnxruntime import InferenceSession
        from tokenizers import Tokenizer

        graph = _graph(folder)
        self._session: Any = _loaded(
            folder, lambda: InferenceSession(str(graph), providers=["CPUExecutionProvider"])
        )
        self._tokenizer: Any = _loaded(folder, lambda: Tokenizer.from_file(str(folder / "tokenizer.json")))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_longest(folder))
        self._inputs = {each.name for each in self._session.get_inputs()}
        self._takes_first = _pools_first(folder)
        self.name = f"onnx-{model_digest(folder)}"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        return _each_once(texts, self._encode)

    def _encode(self, texts: Sequence[str]) -> Vectors:
        # One at a time: in a batch the vector of a text would depend, in a quantised model a good deal, on
        # the texts beside it.
        return np.stack([self._one(text) for text in texts])

    def _one(self, text: str) -> Vectors:
        coded = self._tokenizer.encode(text)
        ids = np.asarray([coded.ids], dtype=np.int64)
        given = {
            "input_ids": ids,
            "attention_mask": np.ones_like(ids),
            "token_type_ids": np.zeros_like(ids),
        }
        first, *_ = self._session.run(None, {name: given[name] for name in self._inputs})
        found: Vectors = np.asarray(first[0], dtype=np.float32)
        if found.ndim == 2:
            found = found[0] if self._takes_first else found.mean(axis=0)
        return found


def is_onnx_model(folder: Path) -> bool:
    """Whether the folder holds what `Onnx` reads."""
    return (folder / "tokenizer.json").is_file() and any((folder / name).is_file() for name in _GRAPHS)


def is_sentence_model(folder: Path) -> bool:
    """Whether the folder holds what `SentenceTransformers` reads."""
    weights = ("model.safetensors", "pytorch_model.bin")
    return (folder / "config.json").is_file() and any((folder / name).is_file() for name in weights)


def are_installed(names: Iterable[str]) -> bool:
    """Whether all of these packages can be imported; none is."""
    return all(find_spec(name) is not None for name in names)


def model_digest(folder: Path) -> str:
    """Names a model by every file of it that can change a vector, wherever the folder lies."""
    whole = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.suffix in _PARTS and p.is_file()):
        whole.update(f"{path.relative_to(folder).as_posix()}\n{path.stat().st_size}\n".encode())
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                whole.update(chunk)
    return whole.hexdigest()[:16]


def _require(kind: type[SentenceTransformers | Onnx], name: str, folder: Path, is_there: bool) -> None:
    if not is_there:
        holds = "no such folder is there" if not folder.is_dir() else f"{folder} holds none that {name} reads"
        raise ConfigError(
            f"the embedder {name} has no model",
            why=holds,
            next="put a model in a folder, then: skillopt-sleep config set embedder_model DIR",
        )
    if not are_installed(kind.needs):
        missing = ", ".join(each for each in kind.needs if not are_installed([each]))
        raise ConfigError(f"the embedder {name} is not installed", why=f"no {missing}", next=kind.install)


def _loaded(folder: Path, load: Callable[[], Any]) -> Any:
    try:
        return load()
    except Exception as error:  # each library raises kinds of its own
        told = " ".join(str(error).split())[:300]
        raise ConfigError(
            f"the model in {folder} cannot be read",
            why=f"{type(error).__name__}: {told}",
            next="put back the files of the model, or: skillopt-sleep config set embedder builtin",
        ) from error


def _graph(folder: Path) -> Path:
    return next(folder / name for name in _GRAPHS if (folder / name).is_file())


def _longest(folder: Path) -> int:
    n = _setting(folder / "sentence_bert_config.json", "max_seq_length")
    return n if isinstance(n, int) and n > 2 else _LONGEST


def _pools_first(folder: Path) -> bool:
    """Whether the vector of a text is that of its first token, not the mean of all."""
    return _setting(folder / "1_Pooling" / "config.json", "pooling_mode_cls_token") is True


def _setting(path: Path, key: str) -> object:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found.get(key) if isinstance(found, dict) else None


def _each_once(texts: Sequence[str], encode: Callable[[Sequence[str]], Vectors]) -> Vectors:
    """One unit vector for each text; the same text is encoded once, one without words not at all."""
    told = [text.encode("utf-8", "replace").decode() for text in texts]
    unique = sorted({text for text in told if tokens(text)})
    found = encode(unique or ["."])  # how wide a vector is, only the model knows
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    unit = (found / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    row = {text: i for i, text in enumerate(unique)}
    out = np.zeros((len(texts), unit.shape[1]), dtype=np.float32)
    for i, text in enumerate(told):
        if text in row:
            out[i] = unit[row[text]]
    return out
