"""Is a model there? Asked once and before loading, so that a wrong name costs a line and not a minute of retries."""

from __future__ import annotations

import os
from pathlib import Path

from dra_grpo.errors import UsageError


def check_model(model: str, revision: str | None = None) -> None:
    """Raise unless `model` is a folder, a model on the Hub, or one in the Hub's local cache.

    Args:
        model: a path, or a Hub name (`owner/name`; a bare name is one of `sentence-transformers/`).
        revision: branch, tag or commit on the Hub.

    Raises:
        UsageError: no such folder; no such model or revision on the Hub; the Hub out of reach and nothing cached.
    """
    if Path(model).is_dir():
        return
    if model.startswith((".", "~", "/")) or model.count("/") > 1 or "\\" in model:
        raise UsageError(f"no model folder at {model!r}; give an existing folder or a Hub name such as 'owner/name'")

    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    name = model if "/" in model else f"sentence-transformers/{model}"
    cache = os.environ.get("SENTENCE_TRANSFORMERS_HOME")
    try:  # resolves the revision and downloads nothing
        snapshot_download(name, revision=revision, cache_dir=cache, allow_patterns=[])
    except HFValidationError as error:
        raise UsageError(f"{model!r} is neither a folder nor a Hub name; expected a path or 'owner/name'") from error
    except RevisionNotFoundError as error:
        raise UsageError(f"model {name!r} has no revision {revision!r} on the Hub; check the spelling") from error
    except RepositoryNotFoundError as error:
        raise UsageError(
            f"no model {name!r} on the Hub that you may read; check the spelling, or set HF_TOKEN if it is private"
        ) from error
    except LocalEntryNotFoundError as error:
        raise UsageError(
            f"model {name!r} is not in the local cache and the Hub cannot be reached; "
            "go online once, pass a local folder, or use the embedder 'minilm' or 'ngram', which need no download"
        ) from error
