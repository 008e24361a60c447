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

EDGE = 1 << 16


def model_digest(model: str) -> str | None:
    """A digest of a model folder: name, size, first and last 64 KiB of each file; None for what is no folder.

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
            digest.update(stream.read(EDGE))
            stream.seek(max(0, size - EDGE))
            digest.update(stream.read(EDGE))
    return digest.hexdigest()
