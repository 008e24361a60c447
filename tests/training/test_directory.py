"""Run directories: the last whole checkpoint, and cutting back."""

import json

from dra_grpo.training.directory import RunDirectory


def checkpoint(folder, step, state):
    path = folder / f"checkpoint-{step}"
    path.mkdir()
    if state is not None:
        (path / "trainer_state.json").write_text(state)
    return path


def test_checkpoints_are_ordered_by_number(tmp_path):
    for step in (9, 100, 10):
        checkpoint(tmp_path, step, None)
    (tmp_path / "checkpoint-best").mkdir()
    assert [folder.name for folder in RunDirectory(tmp_path).checkpoints()] == [
        "checkpoint-100", "checkpoint-10", "checkpoint-9",
    ]  # fmt: skip


def test_cut_back_drops_what_came_after_and_half_a_line(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.metrics.write_text('{"step": 1}\n{"step": 2, "text": "é"}\n{"step": 3}\n{"step": 4, "ha')
    checkpoint(tmp_path, 2, json.dumps({"global_step": 2}))
    late = checkpoint(tmp_path, 4, None)
    directory.cut_back(2)
    assert directory.metrics.read_text() == '{"step": 1}\n{"step": 2, "text": "é"}\n'
    assert not late.exists()
    assert [folder.name for folder in directory.checkpoints()] == ["checkpoint-2"]


def test_clear_removes_the_run_and_nothing_else(tmp_path):
    directory = RunDirectory(tmp_path)
    checkpoint(tmp_path, 2, None)
    directory.config.write_text("method: dra\n")
    (tmp_path / "notes.txt").write_text("mine")
    (tmp_path / "model.safetensors").write_text("weights of the old run")
    assert directory.holds_run()
    directory.clear()
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]
    assert not directory.holds_run()
