"""A run's directory, which of its checkpoints are whole, and what a resumed run needs beside them."""

import json
import random

import numpy as np
import pytest

pytest.importorskip("trl")

from types import SimpleNamespace

import torch
from safetensors.torch import save_file

from dra_grpo.files import read_json
from dra_grpo.training.directory import RunDirectory
from dra_grpo.training.resume import damage, newest_whole, skip_epochs

STATES = ("rng_state_0.pth", "rng_state_1.pth")


class Trainer:
    """TRL's sampler of 9 problems: 2 groups of 2 a generation, two micro-steps and so one optimiser step each."""

    def __init__(self, shuffle=True):
        self.shuffle = shuffle
        self.args = SimpleNamespace(gradient_accumulation_steps=2)

    def get_train_dataloader(self):
        return range(2 * 4)  # micro-steps

    def _get_train_sampler(self, dataset=None):
        from trl.trainer.utils import RepeatSampler

        return RepeatSampler(range(9), 2, batch_size=2, repeat_count=2, shuffle=self.shuffle, seed=5)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("steps", [0, 3, 4, 7, 8, 11])
def test_the_order_of_the_epoch_that_is_gone_on_with(steps, shuffle):
    whole = Trainer(shuffle)._get_train_sampler()
    orders = [list(whole) for _ in range(4)]
    resumed = Trainer(shuffle)
    skip_epochs(resumed, steps)
    sampler = resumed._get_train_sampler()
    epoch = steps // 4
    assert [list(sampler), list(sampler)] == orders[epoch : epoch + 2]
    assert shuffle == (orders[0] != orders[1])


def checkpoint(run, step, files=("model.safetensors",), states=STATES):
    """A checkpoint as Trainer writes it, in its order: the state last."""
    folder = run / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in files:
        save_file({"weight": torch.ones(64, 64)}, folder / name)
    model = torch.nn.Linear(8, 8)
    optimizer = torch.optim.AdamW(model.parameters())
    torch.save(optimizer.state_dict(), folder / "optimizer.pt")
    torch.save({"last_epoch": step}, folder / "scheduler.pt")
    for name in states:
        torch.save({"python": random.getstate(), "numpy": np.random.get_state()}, folder / name)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "max_steps": 9}))
    return folder


def cut(file):
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


@pytest.mark.parametrize("left", [lambda whole: whole[: len(whole) // 2], lambda _: b"", lambda w: bytes(len(w))])
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.pt", "scheduler.pt", "trainer_state.json", *STATES])
def test_a_file_that_a_full_disk_cut_short_or_that_was_not_written_is_named(tmp_path, name, left):
    folder = checkpoint(tmp_path, 4)
    assert damage(folder, STATES) is None
    (folder / name).write_bytes(left((folder / name).read_bytes()))
    assert damage(folder, STATES).startswith(f"{name} is damaged, {(folder / name).stat().st_size} bytes (")
    (folder / name).unlink()
    said = {"model.safetensors": "*model*", "optimizer.pt": "optimizer.*"}.get(name, name)
    assert damage(folder, STATES) == f"{said} is missing"


def test_what_cannot_be_judged_passes(tmp_path):
    adapter = checkpoint(tmp_path, 2, ["adapter_model.safetensors"])
    (adapter / "notes.txt").write_bytes(b"\xff")
    (adapter / "optimizer.bin").write_bytes(b"\x80\x02 a pickle from before torch wrote zip files")
    assert damage(adapter, STATES) is None
    only = checkpoint(tmp_path, 3, states=())
    for name in ("optimizer.pt", "scheduler.pt"):
        (only / name).unlink()
    assert damage(only, model_only=True) is None
    sharded = checkpoint(tmp_path, 4, files=())  # DeepSpeed's: everything in a folder, and no optimizer.pt
    for name in ("optimizer.pt", "scheduler.pt"):
        (sharded / name).unlink()
    (sharded / "global_step4").mkdir()
    (sharded / "latest").write_text("global_step4")
    states = sharded / "global_step4" / "mp_rank_00_model_states.pt"
    torch.save({"module": torch.ones(64)}, states)
    assert damage(sharded, STATES) is None
    cut(states)
    assert damage(sharded, STATES).startswith("mp_rank_00_model_states.pt is damaged")


def test_the_newest_whole_one_is_taken_and_the_others_are_said(tmp_path, capsys):
    settings = SimpleNamespace(save_only_model=False, save_on_each_node=False)
    whole = checkpoint(tmp_path, 9)
    cut(checkpoint(tmp_path, 10) / "model.safetensors")
    (checkpoint(tmp_path, 100) / "rng_state_1.pth").unlink()
    (tmp_path / "checkpoint-best").mkdir()
    assert newest_whole(RunDirectory(tmp_path), settings, 2) == whole
    first, second, third = capsys.readouterr().out.splitlines()
    assert third == f"note: going on from {whole}"
    assert first == f"note: {tmp_path}/checkpoint-100 is passed over: rng_state_1.pth is missing"
    assert second.startswith(f"note: {tmp_path}/checkpoint-10 is passed over: model.safetensors is damaged, ")
    settings.save_on_each_node = True  # rank 1 runs on another machine and has its state there
    assert newest_whole(RunDirectory(tmp_path), settings, 2) == tmp_path / "checkpoint-100"
    assert newest_whole(RunDirectory(tmp_path / "nothing"), settings, 2) is None


def test_cut_back_drops_what_came_after_and_half_a_line_and_clear_the_run_and_nothing_else(tmp_path):
    directory = RunDirectory(tmp_path)
    directory.metrics.write_text('{"step": 1}\n{"step": 2, "text": "é"}\n{"step": 3}\n{"step": 4, "ha')
    for step in (2, 4, 10):
        (tmp_path / f"checkpoint-{step}").mkdir()
    directory.cut_back(4)
    assert [folder.name for folder in directory.checkpoints()] == ["checkpoint-4", "checkpoint-2"]
    directory.cut_back(2)
    assert directory.metrics.read_text() == '{"step": 1}\n{"step": 2, "text": "é"}\n'
    assert directory.holds_run()
    for name in ("config.yaml", "model.safetensors", "eval.json", "notes.txt"):
        (tmp_path / name).write_text("")
    directory.clear()
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert not directory.holds_run()


def test_no_token_is_written_down(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["dra-grpo", "train", "--hub_token=hf_aBc1", "--hub_token", "hf_dEf2"])
    RunDirectory(tmp_path).begin("seed: 1\n", 1, 1)
    assert read_json(tmp_path / "environment.json")["command"][2:] == ["--hub_token=hf_...", "--hub_token", "hf_..."]
