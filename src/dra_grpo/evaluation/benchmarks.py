"""The benchmarks of `dra-grpo eval`: where each lies, how many problems it has, how it is usually sampled.

None of their texts is shipped. AIME and AMC problems belong to the MAA and Minerva's are CC BY-NC-SA: they come from
the Hub, or from a file of the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dra_grpo.registry import Registry


@dataclass(frozen=True)
class Benchmark:
    """One benchmark.

    Attributes:
        name: its name in `BENCHMARKS`.
        counts: numbers of problems it may have -> where it has them; the first is that of the Hub data set.
        hub: id of its Hub data set; None where the package makes the problems itself.
        config, split: which part of that data set.
        columns: its columns of the problem and of the gold answer there.
        samples: samples a problem that give an interval worth printing, at a cost worth paying.
        temperature, top_p, max_new_tokens: how it is sampled unless said otherwise.
        template: the prompt template unless said otherwise, a name in `TEMPLATES`.
        gold_after: what the gold comes after where the answer column holds a worked solution without a box.
        remark: said where the number of problems is none of `counts`.
    """

    name: str
    counts: Mapping[int, str]
    hub: str | None = None
    config: str | None = None
    split: str = "test"
    columns: tuple[str, str] = ("problem", "answer")
    samples: int = 4
    temperature: float = 0.6
    top_p: float = 0.95
    max_new_tokens: int = 32768
    template: str = "r1"
    gold_after: str | None = None
    remark: str = ""


BENCHMARKS: Registry[Benchmark] = Registry(
    "benchmark",
    "dra_grpo.benchmarks",
    {
        benchmark.name: benchmark
        for benchmark in (
            Benchmark("aime24", {30: "the Hub"}, "HuggingFaceH4/aime_2024", split="train", samples=64),
            Benchmark("aime25", {30: "the Hub"}, "math-ai/aime25", samples=64),
            Benchmark(
                "amc23",
                {40: "the Hub"},
                "math-ai/amc23",
                columns=("question", "answer"),
                samples=64,
                remark="some repositories call a set of 83 problems (AMC 2022 and 2023) by this name",
            ),
            Benchmark("math500", {500: "the Hub"}, "HuggingFaceH4/MATH-500"),
            Benchmark("minerva", {272: "the Hub"}, "math-ai/minervamath", columns=("question", "answer")),
            Benchmark(
                "olympiadbench",
                {674: "the Hub", 675: "GitHub"},
                "Hothan/OlympiadBench",
                config="OE_TO_maths_en_COMP",
                split="train",
                columns=("question", "final_answer"),
            ),
            Benchmark(
                "gsm8k",
                {1319: "the Hub"},
                "openai/gsm8k",
                config="main",
                columns=("question", "answer"),
                gold_after="####",
            ),
            Benchmark(
                "countdown",
                {500: "the test split as it is usually cut"},
                columns=("prompt", ""),
                samples=16,
                temperature=1.0,
                top_p=1.0,
                max_new_tokens=64,
                template="plain",
            ),
        )
    },
)

PAPER_FIVE = ("aime24", "amc23", "math500", "minerva", "olympiadbench")
"""The five that the DRA paper averages over."""
