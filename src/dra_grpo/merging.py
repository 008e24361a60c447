"""One policy out of several: weighted averages of weights, read tensor by tensor and written shard by shard."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from functools import partial, reduce
from hashlib import file_digest
from itertools import chain, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from huggingface_hub import snapshot_download, split_state_dict_into_shards_factory
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from dra_grpo import __version__
from dra_grpo.errors import UsageError
from dra_grpo.files import read_json, write_json
from dra_grpo.hub import check_hub, model_folder

RECORD = "merge.json"
"""What was merged, in the folder that it was merged into."""

ADAPTER = "adapter_config.json"
TOKENIZER = ["*token*", "vocab.*", "merges.txt", "*.model", "*.tiktoken", "chat_template*", "*processor_config.json"]
COMPANIONS = (["config.json"], ["generation_config.json"], ["*.py"], TOKENIZER)
"""What lies beside the weights: each group is copied from one policy."""

NOT_READ = ["*/*", "consolidated*", "*.bin", "*.pt", "*.pth", "*.gguf", "*.h5", "*.msgpack", "*.onnx"]
"""What the Hub is not asked for."""

PLAIN_LORA = {
    "auto_mapping", "base_model_name_or_path", "bias", "eva_config", "exclude_modules", "fan_in_fan_out",
    "inference_mode", "layers_pattern", "layers_to_transform", "lora_alpha", "lora_dropout", "megatron_core",
    "modules_to_save", "peft_version", "qalora_group_size", "r", "rank_pattern", "revision", "target_modules",
    "task_type", "use_rslora",
}  # fmt: skip
"""What an adapter's config may set and be plain LoRA; a layer's rank is read from its factors."""

PLAIN_VALUES = {"peft_type": ["LORA"], "init_lora_weights": [True, "gaussian", "eva", "orthogonal"]}
"""Keys that have to have one of these values: other ways to start change the base as well."""


class Lazy(NamedTuple):
    """A tensor that is read when it is needed.

    Attributes:
        like: its shape and dtype, a tensor on the meta device.
        read: gives it.
    """

    like: Tensor
    read: Callable[[], Tensor]


def average(state_dicts: Sequence[Mapping[str, Tensor]], weights: Sequence[float]) -> dict[str, Tensor]:
    """The weighted average of models in memory: theta = sum_i w_i theta_i.

    The arithmetic is float32 at least, the dtypes are the first one's. What is the same in all stays as it is,
    and a weight of 1 gives that model's tensors bit by bit.

    Args:
        state_dicts: of one architecture, tensors of any shape; what is no float must be equal in all.
        weights: one a model, from 0 to 1, summing to 1.

    Returns:
        New tensors by name, on the first one's device.

    Raises:
        UsageError: names, shapes or integers differ, the average is not finite, or the weights do not sum to 1.

    Source: model soups, arXiv 2203.05482; with a base and one policy trained from it, WiSE-FT, arXiv 2109.01903.

    >>> base, trained = {"w": torch.tensor([0.0, 2.0])}, {"w": torch.tensor([1.0, 2.0])}
    >>> average([base, trained], [0.25, 0.75])
    {'w': tensor([0.7500, 2.0000])}
    """
    policies = [{name: Lazy(one, partial(Tensor.detach, one)) for name, one in held.items()} for held in state_dicts]
    means = _means(policies, [f"state dict {index}" for index in range(len(policies))], weights)
    return {name: mean.read() for name, mean in means.items()}


def merge(
    policies: Sequence[str | Path], weights: Sequence[float], out: str | Path, *, overwrite: bool = False,
    shard_bytes: int = 2_000_000_000,
) -> dict[str, Any]:  # fmt: skip
    """Average policies on disk into a whole one, in the arithmetic of `average`, and write it whole or not at all.

    At any time memory holds one tensor of each policy and one shard of the result. Config and tokenizer are those of
    the second policy, where it has none (an adapter) of the first. A copy of a tied tensor, which one policy was saved
    with and another without, is averaged as the tensor that it is a copy of.

    Args:
        policies: folders or Hub names; the first is a whole model and gives the dtypes, the others are whole models
            or LoRA adapters of the first (theta_i = theta_0 + scaling * B A).
        weights: one a policy, from 0 to 1, summing to 1.
        out: the folder to write, with its `merge.json`.
        overwrite: replace the folder, whatever else is in it, if an earlier merge wrote it.
        shard_bytes: the most a file of weights takes, unless one tensor takes more.

    Returns:
        What `merge.json` holds: the version, the policies and their weights, the bytes of the result (`total_size`),
        and the sha256 of each file that was read.

    Raises:
        UsageError: policies that cannot be averaged, a folder that is not free or cannot be written.
    """
    labels = [str(policy) for policy in policies]
    folders = [_folder(label) for label in labels]
    if (folders[0] / ADAPTER).exists():
        raise UsageError(f"{labels[0]} is an adapter; the first policy must be the whole one that it was trained on")
    files = [_weight_files(folder) for folder in folders]
    base, *others = map(_tensors, files)
    adapted = [
        _adapted(own, read_json(folder / ADAPTER), base, folder) if (folder / ADAPTER).exists() else own
        for own, folder in zip(others, folders[1:], strict=True)
    ]
    means = _means([base, *adapted], labels, weights)
    sizes = {name: mean.like.nbytes for name, mean in means.items()}
    plan = split_state_dict_into_shards_factory(
        sizes, get_storage_size=int, filename_pattern="model{suffix}.safetensors", max_shard_size=shard_bytes
    )
    record = {"version": __version__, "policies": labels, "weights": list(weights), **plan.metadata}
    record["sha256"] = {str(file): _digest(file) for file in chain(*files)}
    out = Path(out).absolute()
    if out.exists() and not (overwrite and (out / RECORD).exists()) and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"{out} is no empty folder; choose another (--overwrite replaces one that a merge wrote)")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=f".{out.name}.", dir=out.parent) as scratch:
            draft = Path(scratch, "merged")
            draft.mkdir()
            for file, names in plan.filename_to_tensors.items():
                shard = {name: means[name].read() for name in names}
                save_file(shard, draft / file, metadata={"format": "pt"})
                del shard  # before the next one is made
            if plan.is_sharded:
                index = {"metadata": plan.metadata, "weight_map": plan.tensor_to_filename}
                write_json(draft / "model.safetensors.index.json", index)
            _copy_companions(folders[1], folders[0], draft)
            write_json(draft / RECORD, record)
            if out.exists():
                out.replace(Path(scratch, "old"))
            draft.replace(out)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{out} cannot be written: {error}; make room, or choose another folder") from error
    return record


def _folder(label: str) -> Path:
    folder = model_folder(label)
    if folder is None:
        check_hub(label, "model", "give a folder")
        folder = snapshot_download(label, ignore_patterns=NOT_READ)
    return Path(folder)


def _weight_files(folder: Path) -> list[Path]:
    single = folder / ("adapter_model.safetensors" if (folder / ADAPTER).exists() else "model.safetensors")
    shards = read_json(folder / f"{single.name}.index.json").get("weight_map", {}).values()
    if not single.exists() and not shards:
        raise UsageError(f"no {single}; pickles are not read: load them and write safetensors with `save_pretrained`")
    return [single] if single.exists() else [folder / name for name in sorted(set(shards))]


def _tensors(files: Sequence[Path]) -> dict[str, Lazy]:
    tensors = {}
    for file in files:
        try:
            with safe_open(file, "pt") as opened:
                likes = {name: opened.get_tensor(name).to("meta") for name in opened.offset_keys()}
        except (OSError, SafetensorError) as error:
            raise UsageError(f"{file} is missing, damaged or cut short ({error}); get it again") from error
        tensors |= {name: Lazy(like, partial(_read, file, name)) for name, like in likes.items()}
    return tensors


def _read(file: Path, name: str) -> Tensor:
    with safe_open(file, "pt", backend="pread") as opened:  # a memory map would fill up with what was read before
        return opened.get_tensor(name)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return file_digest(content, "sha256").hexdigest()


def _adapted(own: dict[str, Lazy], config: dict[str, Any], base: dict[str, Lazy], place: Path) -> dict[str, Lazy]:
    """The base with an adapter's changes: W + scale * B A, or what the adapter holds whole."""
    asked = {name: value for name, value in config.items() if value and name not in PLAIN_LORA}
    if odd := {name: value for name, value in asked.items() if value not in PLAIN_VALUES.get(name, [])}:
        raise UsageError(f"{place} is no plain LoRA adapter ({odd}); merge it with peft's `merge_and_unload` first")
    changed, shapes = {}, [one.like.shape for one in base.values()]
    for name, one in own.items():
        path = name.removeprefix("base_model.model.").replace(".base_layer.", ".").replace(".lora_A.", ".")
        up = own.get(name.replace(".lora_A.", ".lora_B."), one)
        if ".lora_B." in name:
            continue
        if path not in base or ("embed" in path and shapes.count(one.like.shape) == 1):
            raise UsageError(f"{place} changes {path}, which the first policy lacks or has tied to its output layer")
        if up is not one:
            like = _plus(config, torch.empty((), device="meta"), up.like, one.like)
            parts = base[path], up, one
            one = Lazy(like, lambda parts=parts: _plus(config, *(part.read() for part in parts)))
        changed[path] = one
    return {**base, **changed}


def _plus(config: dict[str, Any], whole: Tensor, up: Tensor, down: Tensor) -> Tensor:
    scale = config["lora_alpha"] / len(down) ** (0.5 if config.get("use_rslora") else 1)
    change = scale * (up.float().flatten(1) @ down.float().flatten(1))
    return whole + (change.T if config.get("fan_in_fan_out") else change)


def _means(policies: Sequence[dict[str, Lazy]], labels: Sequence[str], weights: Sequence[float]) -> dict[str, Lazy]:
    """The averages, none of them read yet, of policies that have one."""
    if len(policies) < 2 or len(weights) != len(policies) or min(weights) < 0 or not abs(sum(weights) - 1) < 1e-6:
        raise UsageError(f"weights {list(weights)}, base first, of {len(policies)} policies; expected one each, sum 1")
    _tie(policies)
    means = {}
    for name in chain(*policies):
        shapes = [str(list(policy[name].like.shape)) if name in policy else "missing" for policy in policies]
        if len(set(shapes)) > 1:
            found = ", ".join(f"{shape} in {label}" for shape, label in zip(shapes, labels, strict=True))
            raise UsageError(f"{name} is {found}; only policies of one architecture and vocabulary have an average")
        same = [policy[name] for policy in policies]
        means[name] = Lazy(same[0].like, partial(_mean, name, same, weights))
    return means


def _tie(policies: Sequence[dict[str, Lazy]]) -> None:
    """A matrix that only some have, as a copy of another one, is in the others a copy of that one too."""
    everywhere = set.intersection(*map(set, policies))
    for policy in policies:
        for name, twin in product(policy.keys() - everywhere, everywhere):
            one, other = policy[name], policy[twin]
            if one.like.shape == other.like.shape and one.like.ndim == 2 and torch.equal(one.read(), other.read()):
                for lacking in policies:
                    lacking.setdefault(name, lacking[twin])


@torch.no_grad()
def _mean(name: str, tensors: Sequence[Lazy], weights: Sequence[float]) -> Tensor:
    values = [one.read() for one in tensors]
    base = values[0]
    if all(torch.equal(base, value) for value in values):
        return base.clone()
    if not base.is_floating_point() or base.itemsize == 1:  # indices, masks, the codes of quantised weights
        raise UsageError(f"{name} is {base.dtype} and differs between the policies; only floats have an average")
    wide = torch.promote_types(base.dtype, torch.float32)
    terms = (weight * value.to(wide) for weight, value in zip(weights, values, strict=True) if weight)
    mean = reduce(torch.add, terms).to(base.dtype).contiguous()  # of one term nothing is added: -0.0 stays
    if not mean.isfinite().all():
        raise UsageError(f"{name} would hold NaN or infinity: a policy does, or {base.dtype} cannot hold its average")
    return mean


def _copy_companions(trained: Path, base: Path, draft: Path) -> None:
    """The files beside the weights, each kind from the trained policy or, where it has none, from the base."""
    for kind in COMPANIONS:
        there = ([file for pattern in kind for file in folder.glob(pattern)] for folder in (trained, base))
        for file in next(filter(None, there), []):
            shutil.copyfile(file, draft / file.name)
    dtypes = {name: value for name, value in read_json(base / "config.json").items() if name.endswith("dtype")}
    write_json(draft / "config.json", read_json(draft / "config.json") | dtypes)
