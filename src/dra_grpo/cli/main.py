"""`dra-grpo COMMAND`: finds the command's module when it is called, so that `--help` costs nothing."""

import os
import sys
from importlib import import_module
from traceback import print_exc

from dra_grpo import __version__
from dra_grpo.errors import UsageError, nearest, require

COMMANDS = {
    "init": "write problems, a reward and a recipe to start from",
    "train": "train a policy with diversity-aware reward adjustment",
    "pretrain": "make a built-in task's base policy again from nothing",
    "eval": "evaluate a model on benchmarks, or compare two evaluations",
    "merge": "average the weights of a base and what was trained from it",
    "lab": "experiments on Countdown: list, run, report",
    "report": "write report.html from what a run left behind",
    "list": "methods, embedders, tasks, rewards, recipes",
    "doctor": "the environment: versions, extras, hub, GPUs",
}
"""name -> what it does; the module is `dra_grpo.cli.NAME_command`, with `run(arguments)`."""

DEBUG = "--traceback, or DRA_GRPO_DEBUG=1 in the environment, shows where an error comes from"


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 input to mend, 130 interrupted.

    `--traceback`, or `DRA_GRPO_DEBUG=1` in the environment, shows where an error of one line comes from.
    """
    given = sys.argv[1:] if arguments is None else arguments
    arguments = [argument for argument in given if argument != "--traceback"]
    debug = len(arguments) < len(given) or os.environ.get("DRA_GRPO_DEBUG", "0") != "0"
    if not arguments or arguments[0] in ("-h", "--help"):
        purposes = [f"  {name:10} {purpose}\n" for name, purpose in COMMANDS.items()]
        print(f"usage: dra-grpo COMMAND [--help] ...\n\n{''.join(purposes)}\n{DEBUG}")
        return 0
    if arguments[0] == "--version":
        print(f"dra-grpo {__version__}")
        return 0
    try:
        if arguments[0] not in COMMANDS:
            raise UsageError(f"unknown command {arguments[0]!r}; {nearest(arguments[0], COMMANDS)}")
        if arguments[0] in ("train", "pretrain"):
            require("trl", "trl", f"dra-grpo {arguments[0]}")
        return import_module(f"dra_grpo.cli.{arguments[0]}_command").run(arguments[1:]) or 0
    except UsageError as error:
        if debug:
            print_exc()
        print(f"dra-grpo: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndra-grpo: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1
