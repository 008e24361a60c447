"""What cannot work is refused before anything is trained."""

from __future__ import annotations

from dra_grpo.errors import UsageError


def correctness_column(names: list[str], correctness_reward: str | None, is_read: bool = True) -> int | None:
    """Which reward function says what is correct.

    Args:
        names: the reward functions'.
        correctness_reward: the one that was named; None: the only one.
        is_read: whether the method reads it.

    Returns:
        Its place in `names`; None where several could be meant and nothing reads it.

    Raises:
        UsageError: there is no such function, there are two of that name, or several and none was named.

    >>> correctness_column(["accuracy_reward"], None), correctness_column(["a", "b"], None, is_read=False)
    (0, None)
    """
    if correctness_reward is None and len(names) == 1:
        return 0
    if correctness_reward is None and not is_read:
        return None
    if names.count(correctness_reward or "") == 1:
        return names.index(correctness_reward or "")
    if correctness_reward in names:
        raise UsageError(
            f"correctness_reward is {correctness_reward!r}, the name of {names.count(correctness_reward)} reward "
            "functions; give each a `__name__` of its own"
        )
    raise UsageError(
        f"correctness_reward is {correctness_reward!r}; expected the reward function whose value > 0 means "
        f"correct, one of: {', '.join(names)}"
    )
