"""Published averages of the five benchmarks, each with its own number of samples, to print beside a user's row."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt


@dataclass(frozen=True)
class Published:
    """One published average over AIME24, AMC23, MATH-500, Minerva and OlympiadBench, of 1.5B models.

    Attributes:
        model: what was evaluated.
        average: in points.
        source: where it stands.
        samples: a problem; None where they differ between benchmarks or are not said.
        note: what else to know.
    """

    model: str
    average: float
    source: str
    samples: int | None
    note: str = ""


DRA = "DRA-GRPO, arXiv 2505.09655"
MMR = "MMR-GRPO's re-runs"
SOBER = "Sober Look, arXiv 2504.07086"

PUBLISHED = (
    Published("R1-Distill-Qwen-1.5B", 48.9, DRA, 1, "the base model"),
    Published("GRPO", 54.8, DRA, 1),
    Published("Dr.GRPO", 56.0, DRA, 1),
    Published("DRA-GRPO", 56.7, DRA, 1, "approximate"),
    Published("DRA-Dr.GRPO", 58.2, DRA, 1, "AMC23 85.0"),
    Published("GRPO", 54.7, MMR, 16),
    Published("Dr.GRPO", 54.9, MMR, 16),
    Published("DAPO", 55.6, MMR, 16),
    Published("R1-Distill-Qwen-1.5B", 53.6, SOBER, None, "the same base model"),
    Published("Open-RS3", 52.7, SOBER, None),
    Published("DeepScaleR-1.5B", 57.5, SOBER, None),
)

ONE_SAMPLE_STDERR = 2.06 / sqrt(2)
"""Standard error in points of an average of the five with one sample a problem, for these very problems: that of the
difference of two such models is 2.06."""


def sampling_error(samples: int | None) -> float | None:
    """Half the 95% interval of an average of the five, in points, from sampling alone.

    >>> round(sampling_error(1), 1), round(sampling_error(16), 1)
    (2.9, 0.7)
    """
    return None if samples is None else 1.96 * ONE_SAMPLE_STDERR / sqrt(samples)
