"""A reward of your own: it gets the completions and every column of the data, and gives one number each."""

import re


def right(completions, solution, **columns):
    """1.0 where the last number in a completion is the solution, 0.0 where not."""
    rewards = []
    for chat, gold in zip(completions, solution, strict=True):
        numbers = re.findall(r"\d+", chat[-1]["content"], re.ASCII)
        rewards.append(1.0 if numbers and numbers[-1] == gold else 0.0)
    return rewards
