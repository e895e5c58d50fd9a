"""Tiny tensors gain nothing from threads, and threads that wait for each other on a busy machine cost minutes."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
