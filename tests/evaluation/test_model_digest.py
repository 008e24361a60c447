from __future__ import annotations

import pytest

from dra_grpo.evaluation.model_digest import BLOCK, BLOCKS, model_digest


@pytest.mark.parametrize("size", [1, BLOCK, BLOCK * BLOCKS - 1, BLOCK * BLOCKS + 1, 5 * BLOCK * BLOCKS + 17])
def test_a_matrix_anywhere_in_the_file_changes_the_digest(size, tmp_path):
    file = tmp_path / "model.safetensors"
    file.write_bytes(bytes(size))
    before = model_digest(str(tmp_path))
    assert model_digest(str(tmp_path)) == before
    gap = 1 + max(0, size // (BLOCKS - 1) - BLOCK)
    for start in {0, size // 3, size // 2, size - gap}:
        changed = bytearray(size)
        changed[start : start + gap] = b"x" * len(changed[start : start + gap])
        file.write_bytes(changed)
        assert model_digest(str(tmp_path)) != before
    file.write_bytes(bytes(size + 1))
    assert model_digest(str(tmp_path)) != before


def test_a_hub_name_has_none():
    assert model_digest("no/such") is None
