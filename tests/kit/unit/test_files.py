from pathlib import Path

import pytest
from ml_template.settings.config import InputError
from ml_template.storage import files


def test_a_file_keeps_its_old_content_when_writing_fails(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    files.write_json(path, {"value": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"value": float("nan")})
    assert files.read_json(path, "") == {"value": 1}
    assert list(tmp_path.iterdir()) == [path]


def _write_half(path: Path) -> None:
    with files.new_folder(path) as folder:
        (folder / "a").mkdir()
        (folder / "a").mkdir()


def test_a_folder_is_replaced_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "model"
    with files.new_folder(path) as folder:
        (folder / "a").write_text("old")
    with pytest.raises(FileExistsError):
        _write_half(path)
    assert (path / "a").read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_damaged_json_is_named_with_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text('{"value": ')
    with pytest.raises(InputError, match=r"cut\.json is damaged .*: run it again"):
        files.read_json(path, "run it again")
