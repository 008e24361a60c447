"""A resumed run's later epochs come in the order they would have come in."""

import pytest

pytest.importorskip("trl")

from types import SimpleNamespace

from dra_grpo.training.resume import skip_epochs


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
