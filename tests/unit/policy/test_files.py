from __future__ import annotations

from pathlib import Path

import pytest

from mailgov.policy import PolicyError, read_directory


def test_reads_the_folder_and_its_documents(tmp_path: Path) -> None:
    (tmp_path / "directives").mkdir()
    (tmp_path / "rules.toml").write_bytes(b"\xef\xbb\xbf# BOM")
    (tmp_path / "directives" / "a.toml").write_text("id = 'a'")
    for left_out in (".#rules.toml", "rules.toml~", "README.md"):
        (tmp_path / left_out).write_text("x")
    assert read_directory(tmp_path) == {"rules.toml": "# BOM", "directives/a.toml": "id = 'a'"}


def test_faults_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="nowhere: no such policy directory"):
        read_directory(tmp_path / "nowhere")
    (tmp_path / "rules.toml").write_bytes(b"# one\n# two \xff\n")
    with pytest.raises(PolicyError, match=r"rules\.toml:2: not UTF-8"):
        read_directory(tmp_path)
    (tmp_path / "rules.toml").write_bytes(b"#" * 5_000_000)
    with pytest.raises(PolicyError, match=r"rules\.toml: over \d+ octets"):
        read_directory(tmp_path)
    (tmp_path / "rules.toml").unlink()
    (tmp_path / "rules.toml").mkdir()
    with pytest.raises(PolicyError, match=r"rules\.toml: cannot be read"):
        read_directory(tmp_path)
