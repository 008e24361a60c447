"""A line on the error stream that says how far sampling is and how fast."""

from __future__ import annotations

import sys
import time


class Progress:
    """Rewritten in place on a terminal, a line every `every` seconds elsewhere.

    Args:
        title: what is drawn.
        done: samples there already.
        total: samples there will be.
        every: seconds between two lines where the stream is no terminal.
    """

    def __init__(self, title: str, done: int, total: int, every: float = 30.0):
        self.title, self.done, self.total, self.every = title, done, total, every
        self.before = done
        self.tokens = 0
        self.start = self.shown = time.monotonic()

    def update(self, samples: int, tokens: int) -> None:
        """Count what came."""
        self.done += samples
        self.tokens += tokens
        now = time.monotonic()
        terminal = sys.stderr.isatty()
        if not terminal and now - self.shown < self.every and self.done < self.total:
            return
        self.shown = now
        seconds = max(now - self.start, 1e-9)
        left = seconds / (self.done - self.before) * (self.total - self.done)
        speed = self.tokens / seconds
        line = f"{self.title}: {self.done}/{self.total} samples, {speed:,.0f} tokens/s, {left:,.0f} s left"
        end = "\n" if not terminal or self.done == self.total else ""
        print(("\r\x1b[K" if terminal else "") + line, end=end, file=sys.stderr, flush=True)
