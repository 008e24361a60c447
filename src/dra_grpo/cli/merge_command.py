"""`dra-grpo merge BASE TRAINED`: one policy out of several, by the weighted average of their weights."""

from pathlib import Path

from dra_grpo.cli.tables import CommandParser
from dra_grpo.errors import require

WEIGHT = (
    "share of the trained policy, the base gets the rest; .5,.2 for two of them (default: all alike, the base too)"
)


def run(arguments: list[str]) -> None:
    """Run `dra-grpo merge ARGUMENTS`."""
    parser = CommandParser(prog="dra-grpo merge", description=__doc__)
    parser.add_argument("base", help="a folder, a Hub name, or `countdown`, the built-in base policy")
    parser.add_argument("trained", nargs="+", help="policies trained from it, or LoRA adapters of it")
    parser.add_argument("--weight", type=shares, metavar="SHARES", help=WEIGHT)
    parser.add_argument("--out", required=True, help="folder to write")
    parser.add_argument("--overwrite", action="store_true", help="replace --out where an earlier merge wrote it")
    chosen = parser.parse_args(arguments)
    require("safetensors", "trl", "dra-grpo merge")
    from dra_grpo.merging import merge
    from dra_grpo.tasks import TASKS

    policies = [chosen.base, *chosen.trained]
    if not Path("countdown").is_dir():
        policies = [str(TASKS[policy].policy) if policy == "countdown" else policy for policy in policies]
    given = chosen.weight or [1 / len(policies)] * len(chosen.trained)
    record = merge(policies, [round(1 - sum(given), 12), *given], chosen.out, overwrite=chosen.overwrite)
    terms = (f"{weight:.4g} {policy}" for weight, policy in zip(record["weights"], policies, strict=True))
    print(f"{chosen.out} = {' + '.join(terms)}  ({record['total_size'] / 1e6:,.1f} MB)")


def shares(text: str) -> list[float]:
    """Numbers with commas between them."""
    return [float(share) for share in text.split(",")]
