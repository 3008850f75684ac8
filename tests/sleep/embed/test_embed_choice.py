from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from skillopt.errors import ConfigError
from skillopt_sleep.mine.embed_choice import Kind, choose
from skillopt_sleep.mine.embed_models import are_installed, model_digest


def folder_with(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("{}")
    return folder


def test_without_a_model_the_built_in_one_is_taken_and_nothing_is_loaded() -> None:
    chosen = choose("auto", None)
    assert (chosen.kind, chosen.why) == ("builtin", "no embedder_model is set")
    assert chosen.load() is None


@pytest.mark.parametrize(
    ("kind", "files", "said"),
    [
        ("auto", (), "config set embedder_model DIR"),
        ("onnx", (), "config set embedder_model DIR"),
        ("onnx", ("config.json", "model.safetensors"), "config set embedder_model DIR"),
        ("sentence-transformers", ("model.onnx", "tokenizer.json"), "config set embedder_model DIR"),
    ],
)
def test_a_folder_without_the_model_is_an_error_with_the_command(
    tmp_path: Path, kind: Kind, files: tuple[str, ...], said: str
) -> None:
    folder = folder_with(tmp_path, *files)
    with pytest.raises(ConfigError) as error:
        choose(kind, folder).load()
    assert said in error.value.next


@pytest.mark.parametrize("kind", ["auto", "onnx", "sentence-transformers"])
def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path, kind: Kind) -> None:
    with pytest.raises(ConfigError):
        choose(kind, tmp_path / "gone").load()


@pytest.mark.parametrize("kind", ["onnx", "sentence-transformers"])
def test_an_embedder_that_needs_a_model_says_so(kind: Kind) -> None:
    with pytest.raises(ConfigError) as error:
        choose(kind, None)
    assert "embedder_model" in error.value.next


@pytest.mark.parametrize(
    ("files", "command", "package"),
    [
        (("onnx/model.onnx", "tokenizer.json"), "pip install onnxruntime tokenizers", "onnxruntime"),
        (("config.json", "model.safetensors"), "pip install sentence-transformers", "sentence_transformers"),
    ],
)
def test_a_missing_package_is_an_error_with_the_command(
    tmp_path: Path, files: tuple[str, ...], command: str, package: str
) -> None:
    if find_spec(package) is not None:
        pytest.skip(f"left out: {package} is installed here")
    kind: Kind = "onnx" if package == "onnxruntime" else "sentence-transformers"
    for each in (kind, "auto"):
        with pytest.raises(ConfigError) as error:
            choose(each, folder_with(tmp_path, *files)).load()
        assert command in error.value.next


def test_a_package_that_is_not_there_is_not_installed() -> None:
    assert are_installed(["numpy", "regex"])
    assert not are_installed(["numpy", "no_such_package_anywhere"])


def test_a_model_is_named_by_its_files_wherever_it_lies(tmp_path: Path) -> None:
    one, two = (
        folder_with(tmp_path / name, "config.json", "1_Pooling/config.json", "README.md") for name in "ab"
    )
    assert model_digest(one) == model_digest(two)
    (two / "README.md").write_text("other words")
    assert model_digest(one) == model_digest(two)
    (two / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": true}')
    assert model_digest(one) != model_digest(two)
