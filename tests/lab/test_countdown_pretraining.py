import json
from itertools import islice

import pytest
import torch

from dra_grpo.lab.countdown_policy import (
    IGNORED,
    TRAIN_PROBLEMS,
    batches,
    character_tokenizer,
    policy_results,
    pretrain,
)
from dra_grpo.tasks.countdown import Problem, split_of, verify

transformers = pytest.importorskip("transformers")


def test_writes_a_folder_that_loads_and_a_record(tmp_path):
    record = pretrain(tmp_path, steps=2, batch_size=4, measured=2)
    assert record == json.loads((tmp_path / "results.json").read_text())
    assert [record[name] for name in ("steps", "batch_size", "size", "seed")] == [2, 4, 3, 0]
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.get_vocab() == character_tokenizer().get_vocab()
    again = policy_results(model, tokenizer, count=2)
    for split in ("validation", "test"):  # what was measured is what was written
        assert record["results"][split]["pass@1"]["value"] == pytest.approx(again[split]["pass@1"]["value"], rel=1e-5)


def test_the_loss_falls_and_progress_is_told(tmp_path, capsys):
    short = pretrain(tmp_path / "short", steps=1, batch_size=8, measured=0)
    assert short["results"] == {}
    assert capsys.readouterr().err.startswith("step 1/1  loss ")
    long = pretrain(tmp_path / "long", steps=60, batch_size=8, measured=0)
    assert long["loss"] < short["loss"] - 0.3
    assert [line.split("  ")[0] for line in capsys.readouterr().err.splitlines() if line.startswith("step")] == [
        "step 50/60",
        "step 60/60",
    ]


def test_one_seed_gives_one_policy_and_leaves_the_global_generator_alone(tmp_path):
    folders = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(5)
        pretrain(tmp_path / name, steps=2, batch_size=4, seed=seed, measured=0)
        assert torch.initial_seed() == 5
        folders.append((tmp_path / name / "model.safetensors").read_bytes())
    assert folders[0] == folders[1] != folders[2]


@pytest.mark.parametrize("size", [3, 4])
def test_rows_are_train_problems_with_correct_solutions_labelled_after_the_prompt(size, monkeypatch):
    monkeypatch.setitem(TRAIN_PROBLEMS, 4, 100)
    tokenizer = character_tokenizer()
    texts = set()
    for ids, labels in islice(batches(tokenizer, batch_size=64, size=size, seed=0), 5):
        assert ids.shape == labels.shape
        for row, wanted in zip(ids, labels, strict=True):
            prompt, text = tokenizer.decode(row, skip_special_tokens=True).split(":")
            problem = Problem.from_prompt(prompt + ":")
            assert (split_of(problem.numbers), len(problem.numbers)) == ("train", size)
            assert verify(text, problem).correct
            start = len(problem.prompt)
            end = start + len(text) + 1
            assert row[end - 1] == tokenizer.eos_token_id
            assert (wanted[:start] == IGNORED).all()
            assert torch.equal(wanted[start:end], row[start:end])
            assert (wanted[end:] == IGNORED).all()
            assert (row[end:] == tokenizer.pad_token_id).all()
            texts.add((prompt, text))
    assert len(texts) > 250
