"""`dra-grpo COMMAND`: finds the command's module when it is called, so that `--help` costs nothing."""

from __future__ import annotations

import sys
from importlib import import_module

from dra_grpo import __version__
from dra_grpo.errors import UsageError

COMMANDS = {
    "init": "write problems, a reward and a recipe to start from",
    "train": "train a policy with diversity-aware reward adjustment",
    "pretrain": "make a built-in task's base policy again from nothing",
    "eval": "evaluate a model on benchmarks, or compare two evaluations",
    "report": "write report.html from what a run left behind",
    "list": "methods, embedders, tasks, rewards, recipes",
    "doctor": "the environment: versions, extras, hub, GPUs",
}
"""name -> what it does; the module is `dra_grpo.cli.NAME_command`, with `run(arguments)`."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 input to mend, 130 interrupted."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: dra-grpo COMMAND [--help] ...\n")
        for name, purpose in COMMANDS.items():
            print(f"  {name:10} {purpose}")
        return 0
    if arguments[0] == "--version":
        print(f"dra-grpo {__version__}")
        return 0
    try:
        command = _command(arguments[0])
        return import_module(f"dra_grpo.cli.{command}_command").run(arguments[1:]) or 0
    except UsageError as error:
        print(f"dra-grpo: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\ndra-grpo: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _command(name: str) -> str:
    from dra_grpo.registry import Registry

    Registry("command", "dra_grpo.commands", COMMANDS)[name]
    return name


if __name__ == "__main__":
    sys.exit(main())
