"""Is it there? Asked once and before loading, so that a wrong name costs a line and not a minute of retries."""

from pathlib import Path
from typing import Literal

from dra_grpo.errors import UsageError


def model_folder(model: str) -> str | None:
    """The folder that `model` names, None where it can be a Hub name; the Hub is not asked.

    Raises:
        UsageError: it can be nothing but a path, and no folder is there.
    """
    folder = Path(model).expanduser()
    if folder.is_dir():
        return str(folder)
    if model.startswith((".", "~", "/")) or model.count("/") > 1 or "\\" in model:
        raise UsageError(f"no model folder at {model!r}; give an existing folder or a Hub name such as 'owner/name'")
    return None


def check_hub(
    name: str, kind: Literal["model", "dataset"], instead: str, revision: str | None = None, cache: str | None = None
) -> None:
    """Raise unless the Hub or its local cache has it; nothing is downloaded.

    Args:
        name: `owner/name`, on the Hub.
        kind: what it is.
        instead: what else may be done where the Hub cannot be reached, for the message.
        revision: branch, tag or commit.
        cache: a folder other than the Hub's own cache.

    Raises:
        UsageError: no name for the Hub; no such repository or revision that may be read; the Hub out of reach and
            nothing cached.
    """
    from huggingface_hub import errors, snapshot_download

    try:  # resolves the revision
        snapshot_download(name, repo_type=kind, revision=revision, cache_dir=cache, allow_patterns=[])
    except errors.HFValidationError as error:
        raise UsageError(f"{name!r} is neither a path nor a Hub name; expected a path or 'owner/name'") from error
    except errors.RevisionNotFoundError as error:
        raise UsageError(f"{kind} {name!r} has no revision {revision!r} on the Hub; check the spelling") from error
    except errors.RepositoryNotFoundError as error:
        hint = "check the spelling, or set HF_TOKEN if it is private"
        raise UsageError(f"no {kind} {name!r} on the Hub that you may read; {hint}") from error
    except errors.LocalEntryNotFoundError as error:
        missing = f"{kind} {name!r} is not in the local cache and the Hub cannot be reached"
        raise UsageError(f"{missing}; go online once, or {instead}") from error
