"""What a person can mend is one line; a bug keeps its traceback."""

import errno

import pytest

pytest.importorskip("trl")

import torch

from dra_grpo.errors import MissingExtra, UsageError
from dra_grpo.training.faults import in_one_line


def no_such_model():
    from transformers import AutoConfig

    AutoConfig.from_pretrained("./no/such/folder")


def negative_rate():
    torch.optim.AdamW(torch.nn.Linear(2, 2).parameters(), lr=-1.0)


def unknown_argument():
    from transformers import Qwen2Config, Qwen2ForCausalLM

    Qwen2ForCausalLM(Qwen2Config(num_hidden_layers=0, vocab_size=2, hidden_size=2, num_attention_heads=1), foo=1)


def library_line_that_fails():
    from trl.trainer.utils import pad

    pad([])


def wrong_shape():
    torch.nn.Linear(2, 2)(torch.zeros(3))


def raising(error):
    def fault():
        raise error

    return fault


full_disk = raising(OSError(errno.ENOSPC, "No space left on device"))
full_gpu = raising(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"))


@pytest.mark.parametrize("fault", [no_such_model, negative_rate, full_disk, full_gpu, unknown_argument])
def test_what_a_person_can_mend(fault):
    with pytest.raises(UsageError, match=r"^training stopped: \S") as caught, in_one_line("training stopped", ["foo"]):
        fault()
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is not None, "--traceback shows where it comes from"


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (library_line_that_fails, Exception),
        (raising(ValueError("my reward needs two rows")), ValueError),
        (raising(ModuleNotFoundError("no module of mine")), ImportError),
        (wrong_shape, RuntimeError),
        (unknown_argument, TypeError),
        (raising(MissingExtra("our own one line stays")), MissingExtra),
    ],
)
def test_a_bug_keeps_its_traceback(fault, kind):
    with pytest.raises(kind) as caught, in_one_line("training stopped"):
        fault()
    assert not str(caught.value).startswith("training stopped")
