"""One file = one method; `METHODS` is where a name becomes one."""

from dra_grpo.methods.dra import dra
from dra_grpo.methods.method import Method, MethodProtocol
from dra_grpo.methods.none import none
from dra_grpo.registry import Registry

METHODS: Registry[MethodProtocol] = Registry(
    "method",
    "dra_grpo.methods",
    {
        method.name: method
        for method in (
            Method("dra", dra, "reward", ("embeddings",), "arXiv 2505.09655"),
            Method("none", none, "reward", (), "arXiv 2402.03300"),
        )
    },
)

__all__ = ["METHODS", "Method", "MethodProtocol"]
