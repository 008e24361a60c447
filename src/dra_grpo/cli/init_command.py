"""`dra-grpo init`: problems, a reward and a recipe to start from, and a random model that shows that it runs."""

import json
from importlib.resources import files
from pathlib import Path

from dra_grpo.cli.tables import CommandParser
from dra_grpo.errors import UsageError, require

START = ("problems.jsonl", "my_rewards.py", "run.yaml")
"""The files to start from, as they lie beside this module."""

RANDOM_MODEL = "random-model"
MESSAGES = "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
CHAT_TEMPLATE = MESSAGES + "{% if add_generation_prompt %}assistant: {% endif %}"


def run(arguments: list[str]) -> None:
    """Run `dra-grpo init ARGUMENTS`."""
    parser = CommandParser(prog="dra-grpo init", description=__doc__)
    parser.add_argument("folder", nargs="?", default=".", help="where to write (default: this folder)")
    parser.add_argument("--model", help="your policy, a folder or a Hub name; without it a random one is made")
    chosen = parser.parse_args(arguments)
    write_start(Path(chosen.folder), chosen.model)
    go = "" if chosen.folder == "." else f"cd {chosen.folder} && "
    made = START if chosen.model else (*START, f"{RANDOM_MODEL}/ (it knows nothing and will learn nothing)")
    print(f"{chosen.folder}: wrote {', '.join(made)}\nnext: {go}dra-grpo train --config run.yaml")


def write_start(folder: Path, model: str | None = None) -> None:
    """Write `START` into a folder, and a random model where none is named.

    Raises:
        UsageError: one of them is there already, and nothing was written; or the folder cannot be written.
    """
    if not model:
        require("transformers", "trl", "the random model of dra-grpo init")
    for name in START if model else (*START, RANDOM_MODEL):
        if (folder / name).exists():
            raise UsageError(f"{folder / name} is there already; nothing was written: name another folder, or move it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in START:
            text = files("dra_grpo.cli").joinpath("start", name).read_text(encoding="utf-8")
            named = text.replace(f": {RANDOM_MODEL}", f": {json.dumps(model)}") if model else text
            (folder / name).write_text(named, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{folder} cannot be written: {error.strerror}; name another folder") from error
    if not model:
        write_random_model(folder / RANDOM_MODEL)


def write_random_model(folder: Path) -> None:
    """A Qwen2 of a million random parameters that reads and writes bytes, with a chat template: it knows nothing."""
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers.utils.logging import disable_progress_bar

    from dra_grpo.lab.countdown_policy import character_tokenizer, untrained_model

    disable_progress_bar()
    tokenizer = character_tokenizer(sorted(ByteLevel.alphabet()), context=1024)
    tokenizer.chat_template = CHAT_TEMPLATE
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    untrained_model(len(tokenizer), context=1024).save_pretrained(folder)
