"""Averages of weights: against float64, against peft, in little memory, and what is refused."""

import hashlib
import json
import shutil
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file, save_file

transformers = pytest.importorskip("transformers")

from dra_grpo.cli.main import main  # noqa: E402
from dra_grpo.errors import UsageError  # noqa: E402
from dra_grpo.evaluation.exact import exact_probabilities, exact_results  # noqa: E402
from dra_grpo.files import write_json  # noqa: E402
from dra_grpo.lab.countdown_policy import untrained_model  # noqa: E402
from dra_grpo.merging import average, merge  # noqa: E402
from dra_grpo.tasks.countdown import BASE_POLICY, problems  # noqa: E402


def whole(folder):
    """All tensors of a folder, sharded or not."""
    return {name: one for file in sorted(folder.glob("*.safetensors")) for name, one in load_file(file).items()}


def float64_average(policies, weights):
    return {
        name: sum(weight * policy[name].double() for weight, policy in zip(weights, policies, strict=True))
        for name in policies[0]
    }


def assert_equal(found, expected, **tolerance):
    assert found.keys() == expected.keys()
    for name, one in found.items():
        torch.testing.assert_close(one.double(), expected[name].double(), **(tolerance or {"rtol": 0, "atol": 0}))


@pytest.fixture(scope="module")
def policy(tmp_path_factory):
    """A function that writes a perturbed copy of the built-in policy, in as many files as it takes."""

    def write(seed, max_shard_size="1GB", dtype=torch.float32):
        folder = tmp_path_factory.mktemp("policy")
        model = transformers.AutoModelForCausalLM.from_pretrained(BASE_POLICY)
        generator = torch.Generator().manual_seed(seed)
        for parameter in model.parameters():
            parameter.data += 0.005 * torch.randn(parameter.shape, generator=generator)
        model.to(dtype).save_pretrained(folder, max_shard_size=max_shard_size)
        transformers.AutoTokenizer.from_pretrained(BASE_POLICY).save_pretrained(folder)
        return folder

    return write


@pytest.fixture(scope="module")
def trained(policy):
    return policy(seed=0)


def state_dicts(count):
    generator = torch.Generator().manual_seed(1)
    return [
        {
            "matrix": torch.randn(3, 5, generator=generator),
            "half": torch.randn(7, generator=generator).bfloat16(),
            "scalar": torch.randn((), generator=generator, dtype=torch.float64),
            "empty": torch.zeros(0, 2),
            "frozen": torch.full((4,), 0.1),
            "positions": torch.arange(4),
        }
        for _ in range(count)
    ]


@pytest.mark.parametrize("weights", [[0.3, 0.7], [0.2, 0.5, 0.3], [0.0, 0.9, 0.1]])
def test_an_average_in_memory_is_that_of_float64(weights):
    policies = state_dicts(len(weights))
    found, expected = average(policies, weights), float64_average(policies, weights)
    for name, one in found.items():
        assert one.dtype == policies[0][name].dtype
        rounding = 0 if not one.is_floating_point() else torch.finfo(one.dtype).eps
        torch.testing.assert_close(one.double(), expected[name], rtol=rounding, atol=1e-6 * (rounding < 1e-3))
    assert torch.equal(found["frozen"], policies[0]["frozen"])


def test_an_average_is_of_new_tensors_and_of_parameters_too():
    first, second = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    before = first.weight.clone()
    found = average([dict(first.named_parameters()), second.state_dict()], [1, 0])
    found["weight"] += 1
    assert not found["weight"].requires_grad
    assert torch.equal(first.weight, before)


def test_the_built_in_policy_and_another(tmp_path, trained, capsys):
    """One command: the weights are the average's, the folder loads, and it evaluates exactly."""
    out = tmp_path / "merged"
    assert main(["merge", "countdown", str(trained), "--weight", ".7", "--out", str(out)]) == 0
    assert "0.7" in capsys.readouterr().out
    expected = float64_average([whole(BASE_POLICY), whole(trained)], [0.3, 0.7])
    assert_equal(whole(out), expected, rtol=1e-6, atol=1e-7)
    record = json.loads((out / "merge.json").read_text())
    assert record["weights"] == [0.3, 0.7]
    digest = hashlib.sha256((trained / "model.safetensors").read_bytes()).hexdigest()
    assert record["sha256"][str(trained / "model.safetensors")] == digest
    model = transformers.AutoModelForCausalLM.from_pretrained(out)
    tokenizer = transformers.AutoTokenizer.from_pretrained(out)
    assert model.generation_config.max_new_tokens == 64
    results = exact_results(exact_probabilities(model, tokenizer, problems("validation", 20)))
    assert 0.1 < results["pass@1"].mean() < 1
    evaluated = ["eval", str(out), "--tasks", "countdown", "--samples", "1", "--limit", "4", "--no-plot"]
    assert main([*evaluated, "--out", str(tmp_path / "eval")]) == 0


@pytest.mark.parametrize("weight", [0, 1])
def test_a_weight_of_0_or_1_gives_a_parent_bit_by_bit(tmp_path, trained, weight):
    merge([BASE_POLICY, trained], [1 - weight, weight], tmp_path / "out")
    assert_equal(whole(tmp_path / "out"), whole((BASE_POLICY, trained)[weight]))


def test_the_files_of_a_policy_do_not_matter(tmp_path, policy, trained):
    shards = policy(0, max_shard_size="1MB")
    assert len(list(shards.glob("*.safetensors"))) > 2
    merge([BASE_POLICY, trained, policy(3)], [0.2, 0.5, 0.3], tmp_path / "one")
    merge([BASE_POLICY, shards, policy(3, "2MB")], [0.2, 0.5, 0.3], tmp_path / "many", shard_bytes=600_000)
    files = sorted((tmp_path / "many").glob("*.safetensors"))
    assert len(files) > 4
    assert all(file.stat().st_size < 610_000 for file in files)
    assert_equal(whole(tmp_path / "many"), whole(tmp_path / "one"))
    one, many = (transformers.AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("one", "many"))
    assert_equal(many.state_dict(), one.state_dict())


def test_the_base_gives_the_dtype(tmp_path, policy, trained):
    base = policy(5, dtype=torch.bfloat16)
    merge([base, trained], [0.5, 0.5], tmp_path / "out")
    assert {one.dtype for one in whole(tmp_path / "out").values()} == {torch.bfloat16}
    expected = float64_average([whole(base), whole(trained)], [0.5, 0.5])
    assert_equal(whole(tmp_path / "out"), {name: one.bfloat16() for name, one in expected.items()}, rtol=8e-3, atol=0)
    assert transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").dtype == torch.bfloat16


LIMITED = """
import resource, sys
from dra_grpo.merging import merge
used = next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith("VmData"))
resource.setrlimit(resource.RLIMIT_DATA, (used + int(sys.argv[1]),) * 2)
merge(sys.argv[2:4], [.5, .5], sys.argv[4], shard_bytes=4 << 20)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_holds_a_tensor_of_each_policy_and_a_shard(tmp_path):
    """64 MB a policy, in 8 files of 8 tensors, and the system gives 24 MB: a policy in memory would be refused."""
    for name in ("a", "b"):
        where = {f"{index}": f"{index // 8}.safetensors" for index in range(64)}
        write_json(tmp_path / name / "model.safetensors.index.json", {"weight_map": where})
        for file in set(where.values()):
            tensors = {key: torch.full((512, 512), float(key)) for key, home in where.items() if home == file}
            save_file(tensors, tmp_path / name / file)
    command = [sys.executable, "-c", LIMITED, str(24 << 20), *(str(tmp_path / name) for name in "abc")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "c").glob("*.safetensors"))) == 16


def test_a_policy_saved_with_a_copy_of_a_tied_tensor(tmp_path, trained):
    copied = shutil.copytree(trained, tmp_path / "copied")
    tensors = whole(trained)
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    merge([BASE_POLICY, trained], [0.3, 0.7], tmp_path / "expected")
    expected = whole(tmp_path / "expected")
    for name, policies in {"there": [BASE_POLICY, copied], "here": [copied, BASE_POLICY]}.items():
        merge(policies, [0.3, 0.7] if name == "there" else [0.7, 0.3], tmp_path / name)
        found = whole(tmp_path / name)
        assert torch.equal(found.pop("lm_head.weight"), found["model.embed_tokens.weight"])
        assert_equal(found, expected, rtol=1e-5, atol=1e-7)
        model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / name)
        assert model.lm_head.weight is model.model.embed_tokens.weight
    tensors["lm_head.weight"] += 1
    save_file(tensors, copied / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"lm_head.weight is missing in .*policy, \[19, 128\] in "):
        merge([BASE_POLICY, copied], [0.3, 0.7], tmp_path / "untied")


def gpt2():
    config = transformers.GPT2Config(vocab_size=19, n_embd=16, n_layer=2, n_head=2, n_positions=32)
    return transformers.GPT2LMHeadModel(config)


ADAPTERS = {
    "plain": (untrained_model, {"r": 4, "lora_alpha": 12, "target_modules": ["q_proj", "down_proj"]}),
    "rslora": (untrained_model, {"r": 4, "use_rslora": True, "target_modules": "all-linear"}),
    "ranks": (untrained_model, {"rank_pattern": {"q_proj": 2}, "target_modules": ["q_proj", "k_proj"]}),
    "transposed": (gpt2, {"r": 3, "target_modules": ["c_attn"], "fan_in_fan_out": True}),
    "biases": (untrained_model, {"r": 2, "bias": "all", "target_modules": ["v_proj"]}),
    "saved": (untrained_model, {"r": 2, "target_modules": ["v_proj"], "modules_to_save": ["norm"]}),
}


@pytest.fixture
def adapted(tmp_path):
    """A function that writes a base and an adapter of it, and returns both folders and what peft makes of them."""
    peft = pytest.importorskip("peft")

    def write(make, options, name="adapter", seed=0):
        torch.manual_seed(7)
        base = make()
        base.save_pretrained(tmp_path / "base")
        model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **options))
        torch.manual_seed(seed)
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.data += 0.1 * torch.randn_like(parameter)
        model.save_pretrained(tmp_path / name)
        fresh = type(base).from_pretrained(tmp_path / "base")
        merged = peft.PeftModel.from_pretrained(fresh, tmp_path / name).merge_and_unload()
        merged.save_pretrained(tmp_path / f"{name}-merged")
        return tmp_path / "base", tmp_path / name, tmp_path / f"{name}-merged"

    return write


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_is_its_base_with_its_changes(tmp_path, adapted, kind):
    base, adapter, merged = adapted(*ADAPTERS[kind])
    with pytest.raises(UsageError, match="is an adapter; the first policy must be the whole one"):
        merge([adapter, base], [0.5, 0.5], tmp_path / "full")
    assert any(not torch.equal(one, whole(base)[name]) for name, one in whole(merged).items())
    merge([base, adapter], [0, 1], tmp_path / "full")
    assert_equal(whole(tmp_path / "full"), whole(merged), rtol=1e-6, atol=1e-7)
    merge([base, adapter], [0.3, 0.7], tmp_path / "part")
    assert_equal(
        whole(tmp_path / "part"), float64_average([whole(base), whole(merged)], [0.3, 0.7]), rtol=1e-5, atol=1e-7
    )
    assert transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "part").config.vocab_size == 19


@pytest.mark.filterwarnings("ignore")
def test_two_adapters_of_one_base(tmp_path, adapted):
    base, first, first_merged = adapted(*ADAPTERS["plain"], name="first")
    _, second, second_merged = adapted(*ADAPTERS["rslora"], name="second", seed=1)
    merge([base, first, second], [0.2, 0.5, 0.3], tmp_path / "out")
    expected = float64_average([whole(base), whole(first_merged), whole(second_merged)], [0.2, 0.5, 0.3])
    assert_equal(whole(tmp_path / "out"), expected, rtol=1e-5, atol=1e-7)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options, message",
    [
        ({"use_dora": True}, "no plain LoRA adapter.*use_dora"),
        ({"alpha_pattern": {"v_proj": 3}}, "no plain LoRA adapter.*alpha_pattern"),
        ({"init_lora_weights": "pissa"}, "no plain LoRA adapter.*pissa"),
        ({"target_modules": ["embed_tokens"]}, "changes model.embed_tokens"),
        ({"modules_to_save": ["embed_tokens"]}, "changes model.embed_tokens.weight"),
        ({"modules_to_save": ["lm_head"]}, "changes lm_head.weight"),
    ],
)
def test_an_adapter_that_is_no_plain_lora(tmp_path, adapted, options, message):
    base, adapter, _ = adapted(untrained_model, {"r": 2, "target_modules": ["v_proj"]} | options)
    with pytest.raises(UsageError, match=message):
        merge([base, adapter], [0.3, 0.7], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def pair(tmp_path):
    """A function that writes two policies of these tensors and merges them."""

    def write(first, second, weights=(0.5, 0.5)):
        for name, tensors in {"first": first, "second": second}.items():
            (tmp_path / name).mkdir()
            save_file(tensors, tmp_path / name / "model.safetensors")
        return merge([tmp_path / "first", tmp_path / "second"], weights, tmp_path / "out")

    return write


ONES = torch.ones(3, 2)


@pytest.mark.parametrize(
    "first, second, message",
    [
        ({"w": ONES}, {"w": ONES, "b": ONES[0].clone()}, r"^b is missing in \S+first, \[2\] in \S+second; only"),
        ({"w": ONES}, {"w": torch.ones(4, 2)}, r"^w is \[3, 2\] in \S+first, \[4, 2\] in \S+second; only"),
        ({"w": torch.arange(3)}, {"w": torch.zeros(3).long()}, "w is torch.int64 and differs"),
        ({"w": ONES}, {"w": ONES / 0}, "w would hold NaN or infinity"),
        ({"w": ONES.half()}, {"w": ONES * 1e6}, "torch.float16 cannot hold"),
    ],
)  # fmt: skip
def test_policies_without_an_average(tmp_path, pair, first, second, message):
    with pytest.raises(UsageError, match=message):
        pair(first, second)
    assert {path.name for path in tmp_path.iterdir()} == {"first", "second"}


@pytest.mark.parametrize("weights", [[0.5], [0.5, 0.6], [-0.5, 1.5], [0.2, 0.3, 0.5], [float("nan"), 0.5]])
def test_weights_are_one_each_and_sum_to_1(weights):
    with pytest.raises(UsageError, match="expected one each"):
        average([{"w": ONES}, {"w": ONES}], weights)


@pytest.mark.parametrize("shares", ["1.2", "-.5", ".5,.2", "a", "nan", ""])
def test_shares_that_make_no_sense(tmp_path, trained, capsys, shares):
    assert main(["merge", "countdown", str(trained), "--weight", shares, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "weight" in line


def test_without_shares_all_count_alike(tmp_path, trained):
    assert main(["merge", "countdown", str(trained), str(trained), "--out", str(tmp_path / "out")]) == 0
    expected = float64_average([whole(BASE_POLICY), whole(trained)], [1 / 3, 2 / 3])
    assert_equal(whole(tmp_path / "out"), expected, rtol=1e-5, atol=1e-7)


def test_a_folder_that_holds_something(tmp_path, trained):
    policies, out = [BASE_POLICY, trained], tmp_path / "out"
    out.mkdir()
    merge(policies, [0.5, 0.5], out)
    with pytest.raises(UsageError, match="is no empty folder"):
        merge(policies, [0, 1], out)
    with pytest.raises(UsageError, match="expected one each"):
        merge(policies, [0, 2], out, overwrite=True)
    assert json.loads((out / "merge.json").read_text())["weights"] == [0.5, 0.5]
    merge(policies, [0, 1], out, overwrite=True)
    assert_equal(whole(out), whole(trained))
    (out / "merge.json").unlink()
    with pytest.raises(UsageError, match="is no empty folder"):
        merge(policies, [0, 1], out, overwrite=True)
    assert list(tmp_path.iterdir()) == [out]


@pytest.mark.parametrize(
    "spoil, message",
    [
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "pickles are not read"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"short"), "damaged or cut short"),
        (lambda folder: shutil.rmtree(folder), "no model folder"),
    ],
)
def test_a_folder_without_readable_weights(tmp_path, trained, spoil, message):
    folder = shutil.copytree(trained, tmp_path / "spoilt")
    spoil(folder)
    with pytest.raises(UsageError, match=message):
        merge([BASE_POLICY, folder], [0.5, 0.5], tmp_path / "out")
