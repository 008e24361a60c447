"""One file = one method, the controls in one; `METHODS` is where a name becomes a method."""

from typing import Any

from dra_grpo.core import redundancy
from dra_grpo.methods.axes import axes, axes_fields
from dra_grpo.methods.clusters import cluster_fields, cluster_size
from dra_grpo.methods.controls import length, none, permuted, random_embeddings
from dra_grpo.methods.darling import darling
from dra_grpo.methods.dra import DRA_ROBUST, dra
from dra_grpo.methods.dra_blend import dra_blend
from dra_grpo.methods.evol import evol
from dra_grpo.methods.logdet_marginal import logdet_marginal
from dra_grpo.methods.method import Method, as_method
from dra_grpo.methods.mmr import mmr
from dra_grpo.methods.pass_at_k import pass_at_k
from dra_grpo.methods.pkpo import pkpo
from dra_grpo.methods.risk_sensitive import risk_sensitive
from dra_grpo.methods.smooth import smooth, smooth_fields
from dra_grpo.methods.uniqueness import uniqueness
from dra_grpo.methods.unlikeliness import unlikeliness
from dra_grpo.registry import Registry

DRA, OURS = "arXiv 2505.09655", "this project"
EMBEDDED = ("embeddings",)
OF_DRA = (redundancy, dra)
OF_AXES = (redundancy, cluster_size, axes)


def _point(name: str, source: str, **preset: Any) -> Method:
    return Method(name, axes, "advantage", axes_fields, source, preset, (redundancy, cluster_size))


_METHODS = (
    # DRA and ours
    Method("dra", dra, "reward", EMBEDDED, DRA, bases=(redundancy,)),
    Method("dra-robust", dra, "reward", EMBEDDED, DRA, DRA_ROBUST, (redundancy,)),
    Method("dra-blend", dra_blend, "advantage", EMBEDDED, OURS, {"correct_only": True}, (redundancy,)),
    # points on the two axes
    _point("axes", OURS),
    _point("dra-signed", OURS, shares="dra", correct_only=False),
    _point("maxrl", "arXiv 2602.02710", across="maxrl"),
    _point("maxrl-dra", OURS, across="maxrl", shares="dra"),
    _point("propensity", OURS, across="maxrl", shares="propensity"),
    _point("focal", "arXiv 2602.06717", focal=1.0),
    Method("smooth", smooth, "advantage", smooth_fields, "arXiv 2511.19942", bases=OF_AXES),
    # its peers
    Method("mmr", mmr, "reward", EMBEDDED, "arXiv 2601.09085"),
    Method("darling", darling, "reward", cluster_fields, "arXiv 2509.02534", bases=(cluster_size,)),
    Method("uniqueness", uniqueness, "advantage", cluster_fields, "arXiv 2601.08763", bases=(cluster_size,)),
    Method("logdet_marginal", logdet_marginal, "reward", EMBEDDED, "arXiv 2605.11461"),
    Method("evol", evol, "reward", EMBEDDED, "arXiv 2509.15194"),
    Method("unlikeliness", unlikeliness, "reward", ("logprobs",), "arXiv 2506.02355"),
    Method("pass_at_k", pass_at_k, "advantage", (), "arXiv 2508.10751"),
    Method("pkpo", pkpo, "advantage", (), "arXiv 2505.15201"),
    Method("pkpo-loo", pkpo, "advantage", (), "arXiv 2505.15201", {"baseline": "loo-1"}),
    Method("risk_sensitive", risk_sensitive, "advantage", (), "arXiv 2509.24261"),
    # controls
    Method("none", none, "reward", (), "arXiv 2402.03300"),
    Method("permuted", permuted, "reward", EMBEDDED, DRA, bases=OF_DRA),
    Method("permuted-correct", permuted, "reward", EMBEDDED, DRA, {"among": "correct"}, OF_DRA),
    Method("random", random_embeddings, "reward", lambda o: EMBEDDED if o["match"] else (), DRA, bases=OF_DRA),
    Method(
        "length", length, "reward", lambda o: ("texts", "embeddings") if o["match"] else ("texts",), DRA, bases=OF_DRA
    ),
)

METHODS = Registry[Method]("method", "dra_grpo.methods", {method.name: method for method in _METHODS}, as_method)

__all__ = ["METHODS", "Method"]
