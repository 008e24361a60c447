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


def own_reward():
    raise ValueError("my reward needs two rows")


def own_import():
    import no_such_module  # type: ignore[import-not-found] # noqa: F401


def wrong_shape():
    torch.nn.Linear(2, 2)(torch.zeros(3))


def full_disk():
    raise OSError(errno.ENOSPC, "No space left on device")


def full_gpu():
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


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
        (own_reward, ValueError),
        (own_import, ImportError),
        (wrong_shape, RuntimeError),
        (unknown_argument, TypeError),
    ],
)
def test_a_bug_keeps_its_traceback(fault, kind):
    with pytest.raises(kind) as caught, in_one_line("training stopped"):
        fault()
    assert not isinstance(caught.value, UsageError)


def test_our_own_one_line_stays():
    with pytest.raises(MissingExtra, match=r"^the embedder needs"), in_one_line("training stopped"):
        raise MissingExtra("the embedder needs 'x'")
