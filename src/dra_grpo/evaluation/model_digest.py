"""Whether a model folder still holds the model it held."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

PARTS = (
    "*.safetensors",
    "*.bin",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
"""What of a folder changes the samples; results and reports may lie beside it."""

BLOCK = 1 << 12
BLOCKS = 1024
"""How much of a file is read: all of 4 MiB, else so many blocks, spread evenly. Of a 1.5B model in one file that is
one every 3.5 MB, so a merged adapter of the attention's projections alone changes the digest too."""


def model_digest(model: str) -> str | None:
    """A digest of a model folder: name, size and 4 MiB of each file; None for what is no folder.

    A checkpoint that is trained on in its folder keeps its name and changes its samples; this tells.
    """
    folder = Path(model).expanduser()
    if not folder.is_dir():
        return None
    digest = blake2b(digest_size=8)
    for file in sorted(file for part in PARTS for file in folder.glob(part)):
        size = file.stat().st_size
        digest.update(f"{file.name} {size}\n".encode())
        with file.open("rb") as stream:
            for number in range(BLOCKS):
                stream.seek(max(BLOCK * number, (size - BLOCK) * number // (BLOCKS - 1)))
                digest.update(stream.read(BLOCK))
    return digest.hexdigest()
