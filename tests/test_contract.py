"""Contracts of exported policies that are damaged, incomplete, or saved by an editor."""

from __future__ import annotations

from pathlib import Path

import pytest
from policy_files import write_contract

from anymal_policy import contract
from anymal_policy.contract import ContractError
from anymal_policy.runtime import Runner


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00{", b'{"version": "1'])
def test_what_is_no_text_is_no_contract(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "student.json").write_bytes(content)
    with pytest.raises(ContractError, match="not the contract"):
        Runner(tmp_path / "student.json")


def test_a_contract_that_an_editor_has_saved_with_a_mark_is_read(tmp_path: Path) -> None:
    path = write_contract(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert contract.read(path)["onnx"]["file"] == "student.onnx"


@pytest.mark.parametrize(
    "changes", [{"onnx": "student.onnx"}, {"onnx": {}}, {"gait": None}, {"kinematics": []}], ids=str
)
def test_contracts_that_lack_something_are_refused(changes: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="does not say .* of its (onnx|gait|kinematics): export anew"):
        Runner(write_contract(tmp_path, **changes))
