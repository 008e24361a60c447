"""Texts -> embeddings -> `Rollouts` -> method -> `Adjusted`, without a framework: the heart of every engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from dra_grpo.completions import part
from dra_grpo.config import DRAConfig
from dra_grpo.core import Adjusted, Rollouts
from dra_grpo.embedders import EMBEDDERS, Embedded, PolicyEmbedder, as_embedder
from dra_grpo.errors import UsageError
from dra_grpo.methods import METHODS, Method
from dra_grpo.registry import load_path


class Adjuster:
    """One diversity adjustment: what stays the same from batch to batch, tried before the first one.

        x_i = embedder(text_i),  (R, x, groups) -> method -> R̃ or A

    An engine of one process calls it. One whose groups span processes embeds its own rows (`embed`, `answers_of`),
    gathers them, and calls it with `embeddings` and `answers` of all.

    Args:
        method: a name in `METHODS`, or a `Method`.
        embedder: a name in `EMBEDDERS`, an embedder, or a function from N texts to (N, D) rows.
        embedder_options: what an embedder given by name is built with.
        embed: what of a completion is embedded: "completion", "think" or "answer".
        answer: a function from a completion's text to its canonical answer (None where it has none), or its path
            `package.module:function`, for the methods that compare answers.
        group_size: completions a prompt, where it is known.
        device: where an embedder given by name runs, if it can choose.
        load: build the embedder and try it on two texts; False checks everything else, for a dry run.
        **options: the method's own.

    Attributes:
        needs: the fields of `Rollouts` that the method reads with these options.
        reads_correct: whether it reads which completions are correct.

    Raises:
        UsageError: a name, an option or an embedder that cannot work, or a method for which groups are too small.

    Example:
        >>> from dra_grpo import Adjuster
        >>> adjuster = Adjuster("dra", embedder="ngram")
        >>> texts = ["3+5=8,8*2=16", "3+5=8,8*2=16", "5*2=10,10+6=16", "no"]
        >>> adjuster([1, 1, 1, 0], ["q", "q", "q", "q"], texts=texts).weights[:2]
        tensor([0.4..., 0.4...])

    Source: arXiv 2505.09655, R̃(q, o_i) = R(q, o_i) / (1 + Σ_j s(o_i, o_j)).
    """

    def __init__(
        self,
        method: str | Method = "dra",
        *,
        embedder: Any = "sentence-transformer",
        embedder_options: dict[str, Any] | None = None,
        embed: str = "completion",
        answer: str | Callable[[str], str | None] | None = None,
        group_size: int | None = None,
        device: Any = None,
        load: bool = True,
        **options: Any,
    ):
        self.method = METHODS.find(method)
        self.options = options
        self.method.check(group_size=group_size, **options)
        self.needs = self.method.needs(**options)
        self.reads_correct = self.method.reads_correct(**options)
        self.embed_part = embed
        part("", embed)
        self.embedder = None
        if "embeddings" in self.needs:
            kind = EMBEDDERS[embedder] if isinstance(embedder, str) else type(embedder)
            if kind is PolicyEmbedder and embed != "completion":
                raise UsageError(f"embedder 'policy' pools whole completions; got embed={embed!r}")
            self.embedder = as_embedder(embedder, embedder_options, device) if load else None
        self.answer = load_path(answer) if isinstance(answer, str) else answer
        if self.answer is not None and not callable(self.answer):
            raise UsageError(f"answer {answer!r} is {self.answer!r:.60}; expected a function from text to answer")
        if "answers" in self.needs and self.answer is None:
            hint = "set `answer` to a function from text to canonical answer, as 'package.module:function'"
            raise UsageError(f"method {self.method.name!r} compares answers; {hint}")

    @classmethod
    def of(cls, config: DRAConfig, embedder: Any = None, *, scale: str | None = None, eps: float | None = None,
           **more: Any) -> Adjuster:  # fmt: skip
        """The adjuster that a `DRAConfig` describes.

        Args:
            config: the settings.
            embedder: an embedder or a function, in place of `config.embedder`.
            scale, eps: how the engine divides by σ, for methods that do so themselves and were not told otherwise.
            **more: `group_size`, `device` and `load`, as above.
        """
        known = METHODS.find(config.method).options
        engine = {k: v for k, v in {"scale": scale, "eps": eps}.items() if k in known and v is not None}
        options = config.embedder_options if embedder is None else None
        embedder = config.embedder if embedder is None else embedder
        own = {"embedder": embedder, "embedder_options": options, "embed": config.embed, "answer": config.answer}
        return cls(config.method, **{**own, **engine, **more, **config.method_options})

    def embed(self, completions: Sequence[Any]) -> Embedded:
        """The rows of N completions, texts or chats: what `embed` chooses of each, embedded.

        Raises:
            UsageError: the embedder is "policy", which reads no texts, or the method needs no embeddings.
        """
        if self.embedder is None:
            raise UsageError(f"method {self.method.name!r} needs no embedder, or none was loaded; give embeddings=...")
        if isinstance(self.embedder, PolicyEmbedder):
            raise UsageError("embedder 'policy' needs the model of this step; give embeddings=...")
        return self.embedder.embed([part(completion, self.embed_part) for completion in completions])

    def answers_of(self, completions: Sequence[Any]) -> list[str | None] | None:
        """The canonical answer of each completion, None where no answer function is set."""
        return self.answer and [self.answer(part(completion, "completion")) for completion in completions]

    def rollouts(
        self,
        rewards: Any,
        groups: Any,
        *,
        texts: Sequence[Any] | None = None,
        embeddings: Tensor | None = None,
        correct: Any = None,
        logprobs: Any = None,
        answers: Sequence[str | None] | None = None,
        lengths: Any = None,
    ) -> Rollouts:
        """What the method will see; rows and answers that are not given are made from `texts`.

        Args:
            rewards: N, NaN or infinite where a completion could not be scored.
            groups: N integers or strings, which prompt each row answers.
            texts: N completions, texts or chats.
            embeddings: (N, D).
            correct: N bools; None: not known, which a method that reads them takes as rewards > 0.
            logprobs: N log-probabilities, each summed over the completion's own tokens.
            answers: N canonical answers.
            lengths: N numbers of own tokens.

        Raises:
            ValueError: what the method needs is not there, or shapes that do not fit.
        """
        if texts is not None:
            if embeddings is None and self.embedder is not None:
                embeddings = self.embed(texts).rows
            answers = self.answers_of(texts) if answers is None else answers
            texts = [part(text, "completion") for text in texts]
        return Rollouts(rewards, groups, embeddings, correct, logprobs, answers, texts, lengths)

    def adjust(self, rollouts: Rollouts, draw: int = 0) -> Adjusted:
        """Apply the method.

        Args:
            rollouts: the batch.
            draw: which batch of the run this is. Random methods draw by it: no two batches repeat a draw, and a
                resumed run repeats its own. An option `step` that was set wins.
        """
        moving = {"step": draw} if "step" in self.method.options else {}
        return self.method(rollouts, **moving | self.options)

    def __call__(self, rewards: Any, groups: Any, *, draw: int = 0, **columns: Any) -> Adjusted:
        """Adjust one batch: `rollouts(rewards, groups, **columns)`, then `adjust`.

        Returns:
            `Adjusted`, N rows in the order given; `to_advantages()` is what to train on.
        """
        return self.adjust(self.rollouts(rewards, groups, **columns), draw)


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
    if correctness_reward is None and (len(names) == 1 or not is_read):
        return 0 if len(names) == 1 else None
    places = [place for place, name in enumerate(names) if name == correctness_reward]
    if len(places) == 1:
        return places[0]
    if places:
        found = f"{correctness_reward!r}, the name of {len(places)} reward functions"
        raise UsageError(f"correctness_reward is {found}; give each a `__name__` of its own")
    expected = "the reward function whose value > 0 means correct"
    raise UsageError(f"correctness_reward is {correctness_reward!r}; expected {expected}, one of: {', '.join(names)}")
