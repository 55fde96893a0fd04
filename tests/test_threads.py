"""How many threads torch computes with: one in every test, and one for the time of an evaluation."""

from __future__ import annotations

import pytest
import torch

from envs.threads import one_torch_thread


@pytest.mark.parametrize("left_by_a_test", [2, 3])
def test_a_test_begins_with_one_thread_whatever_was_collected_or_has_run(left_by_a_test: int) -> None:
    assert torch.get_num_threads() == 1
    torch.set_num_threads(left_by_a_test)


def test_threads_are_as_before_after_work_on_one() -> None:
    torch.set_num_threads(2)
    with one_torch_thread():
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2
