"""YAML, what it extends, and flags over it, as settings; and what is refused."""

from dataclasses import fields
from enum import Enum
from pathlib import Path

import pytest
import yaml

pytest.importorskip("trl")

from trl import GRPOConfig, ModelConfig

from dra_grpo.errors import UsageError
from dra_grpo.training.fields import TABLES, default, field_types, fitted
from dra_grpo.training.recipe_file import layered
from dra_grpo.training.run import resolved_yaml
from dra_grpo.training.settings import OURS, parse_settings

CPU = ["--use_cpu", "--bf16", "false", "--report_to", "none"]
KINDS = (*OURS, ModelConfig, GRPOConfig)


@pytest.fixture
def recipes(tmp_path):
    """A function that writes YAML files, `a__b` as a/b.yaml, and gives the path of the last."""

    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return str(path)

    return write


def test_flags_win_over_the_file_and_both_are_converted(recipes):
    path = recipes(a="method: none\nlearning_rate: 1e-4\nnum_generations: 4\nper_device_train_batch_size: 8\n")
    settings = parse_settings(["--config", path, "--method", "dra", "--num-generations", "8", *CPU])
    assert (settings.dra.method, settings.training.num_generations) == ("dra", 8)
    assert settings.training.learning_rate == 1e-4
    assert {"method", "learning_rate", "num_generations", "use_cpu"} <= settings.given


def test_mappings_merge_at_any_depth_from_yaml_json_and_dotted_flags(recipes):
    below = {"reward_options": {"cosine-length": {"max_tokens": 9, "short_wrong": 0.0}}, "seed": 1}
    above = {"reward_options": {"cosine-length": {"max_tokens": 5}, "format": {"answer_tags": False}}}
    both = {"cosine-length": {"max_tokens": 5, "short_wrong": 0.0}, "format": {"answer_tags": False}}
    assert layered(below, above) == {"reward_options": both, "seed": 1}
    assert below["reward_options"]["cosine-length"]["max_tokens"] == 9
    path = recipes(a="method_options: {smi: logdet, jitter: 1e-3, a: 1}\ndeepspeed: zero.json\n")
    flags = ["--method_options.a.b", "2", "--method-options.clamp=false", "--method_options", '{"a": {"c": 3}}']
    deepspeed = ["--deepspeed.zero_optimization.stage", "2", "--dry-run"]
    settings = parse_settings([f"--config={path}", *flags, *deepspeed, *CPU[1:]])
    assert settings.dra.method_options == {"smi": "logdet", "jitter": 0.001, "a": {"b": 2, "c": 3}, "clamp": False}
    assert settings.training.deepspeed == {"zero_optimization": {"stage": 2}}


def test_flags_are_text_where_text_is_wanted_and_yaml_elsewhere(recipes):
    flags = ["--run_name", "007", "--system_prompt", "a: ${b} ${", "--reward_funcs", "format", "accuracy"]
    flags += ["--task", "dataset", "--dataset_name", "1e3", "--reward_weights", "1", "2e-1", "--logging_first_step"]
    settings = parse_settings([*flags, "--report_to", "tensorboard", *CPU[:3], "--columns", "prompt=a,solution=b.c"])
    assert (settings.training.run_name, settings.dataset.system_prompt) == ("007", "a: ${b} ${")
    assert (settings.run.reward_funcs, settings.dataset.dataset_name) == (["format", "accuracy"], "1e3")
    assert (settings.training.reward_weights, settings.training.logging_first_step) == ([1.0, 0.2], True)
    assert settings.dataset.columns == {"prompt": "a", "solution": "b.c"}
    text = "task: dataset\ndataset_name: a\nsystem_prompt: 'Say ${x} \\\\frac ${'\nembedder_options: {'${k}': '${v'}\n"
    text += "run_name: 1e-3x\nlr_scheduler_type: cosine_with_min_lr\nlr_scheduler_kwargs: {min_lr: -1E+2}\n"
    settings = parse_settings(["--config", recipes(a=text), *CPU])
    assert settings.dataset.system_prompt == "Say ${x} \\\\frac ${"
    assert settings.dra.embedder_options == {"${k}": "${v"}
    assert (settings.training.run_name, settings.training.lr_scheduler_kwargs) == ("1e-3x", {"min_lr": -100.0})


def test_lists_of_one_words_that_yaml_takes_for_bools_and_mappings_without_a_line(recipes):
    text = "reward_funcs: countdown\nsave_strategy: no\nfp16: no\nmethod_options:\n  # smi: logdet\ntask_options:\n"
    settings = parse_settings(["--config", recipes(a=text + "lora_target_modules: []\n"), *CPU])
    assert (settings.run.reward_funcs, settings.training.save_strategy) == (["countdown"], "no")
    assert (settings.training.fp16, settings.model.lora_target_modules) == (False, [])
    assert (settings.dra.method_options, settings.run.task_options) == ({}, {})
    assert parse_settings(["--save_strategy", "no", "--reward_funcs", "[a, b]", *CPU]).run.reward_funcs == ["a", "b"]


def test_every_field_takes_its_own_default_and_none_of_ours_has_a_name_of_trls():
    types, seen = field_types(*KINDS), set()
    for one in [f for kind in KINDS for f in fields(kind) if f.init]:
        value = default(one)
        value = value.value if isinstance(value, Enum) else value
        assert fitted(one.name, value, types[one.name]) == value, one.name
        assert one.name not in seen
        seen.add(one.name)


def test_the_tables_of_fields_name_fields_and_the_docs_list_what_is_not_read(recipes):
    text = (Path(__file__).parents[2] / "docs/recipes.md").read_text()
    types = field_types(*KINDS)
    for table in ("least", "choices", "unread", "on_cpu", "common"):
        assert set(TABLES[table]) <= types.keys()
    assert [name for name in TABLES["unread"] if f"`{name}`" not in text] == []
    assert [start for start in TABLES["needs"] if f"`{start.removesuffix('_')}" not in text] == []
    defaults = "do_eval: false\neval_strategy: no\nper_device_eval_batch_size: 8\nresume_from_checkpoint:\n"
    parse_settings(["--config", recipes(a=defaults), *CPU])  # what the defaults say is no request


def test_what_is_without_effect_is_told(recipes):
    text = "lora_r: 8\nvllm_mode: colocate\nhub_model_id: a/b\nrun_name: mine\nuse_peft: false\n"
    assert parse_settings(["--config", recipes(a=text), *CPU]).without_effect() == [
        "hub_model_id without effect: push_to_hub is False",
        "lora_r without effect: use_peft is False",
        "vllm_mode without effect: use_vllm is False",
        "run_name without effect: report_to is []",
    ]
    own = ["--task", "dataset", "--dataset_name", "a.jsonl", "--evaluation_problems", "20", *CPU]
    assert parse_settings(own).without_effect()[0].startswith("evaluation_problems without effect: task 'dataset'")
    used = ["--use_peft", "true", "--use_vllm", "true", "--run_name", "mine", "--report_to", "tensorboard", *CPU[:3]]
    assert parse_settings(["--config", recipes(a="lora_r: 8\nvllm_mode: colocate\n"), *used]).without_effect() == []


@pytest.mark.parametrize("recipe", ["countdown", "paper/one-gpu/dra-dr-grpo", "paper/dra-grpo"])
def test_the_resolved_yaml_is_taken_again_and_says_the_same_without_the_token(tmp_path, recipe):
    flags = ["--save_strategy", "no", "--logging_steps", "0.5", "--lora_target_modules", "q", "--report_to", "none"]
    flags += ["--max_prompt_tokens", "4000", "--hub_token", "hf_secret"]
    before = parse_settings(["--config", recipe, "--dry-run", *flags])
    assert before.training.hub_token == "hf_secret"
    file = tmp_path / "config.yaml"
    file.write_text(resolved_yaml(before))
    assert "hub_token" not in yaml.safe_load(file.read_text())
    after = parse_settings(["--config", str(file), "--dry-run"])
    assert after.training.hub_token is None
    assert resolved_yaml(after) == resolved_yaml(before)
    for part in ("run", "dra", "model", "dataset"):
        assert vars(getattr(after, part)) == vars(getattr(before, part))
    assert {**after.training.to_dict(), "hub_token": 0} == {**before.training.to_dict(), "hub_token": 0}


def test_a_chain_of_three_in_two_folders_where_a_null_takes_a_value_back(recipes):
    path = recipes(
        a="method_options: {smi: logdet, jitter: 0.1}\nseed: 1\nlearning_rate: 1e-4\nsave_total_limit: 2\n",
        sub__b="extends: ../a.yaml\nseed: 2\nmethod_options: {jitter: 0.5}\nsave_total_limit: null\n",
        sub__c="extends: b.yaml\nlearning_rate: 1e-5\nreport_to: []\n",
    )
    settings = parse_settings(["--config", path, "--seed", "3", "--use_cpu"])
    assert settings.dra.method_options == {"smi": "logdet", "jitter": 0.5}
    assert (settings.training.seed, settings.training.learning_rate) == (3, 1e-5)
    assert (settings.training.report_to, settings.training.save_total_limit) == ([], None)
    assert "extends" not in settings.given


def test_a_packaged_recipe_is_taken_by_name_and_a_file_of_ones_own_comes_first(recipes, tmp_path, monkeypatch):
    recipes(mine="extends: countdown\nseed: 7\n", sub__a="extends: paper/grpo\nseed: 8\n")
    monkeypatch.chdir(tmp_path)
    mine = parse_settings(["--config", "mine.yaml"])
    assert (mine.training.seed, mine.training.max_steps, mine.dra.embedder) == (7, 200, "ngram")
    assert parse_settings(["--config", "sub/a.yaml", "--dry-run"]).dra.method == "none"
    (tmp_path / "countdown").mkdir()  # a folder is no recipe
    assert parse_settings(["--config", "countdown"]).training.seed == 0
    (tmp_path / "countdown").rmdir()
    (tmp_path / "countdown").write_text("use_cpu: true\nseed: 10\n")
    assert parse_settings(["--config", "countdown"]).training.seed == 10
    assert parse_settings(["--config", "mine.yaml", *CPU]).training.max_steps == -1


@pytest.mark.parametrize(
    ("flags", "method_options", "embedder_options"),
    [
        (["--method", "none"], {}, {"dimension": 64}),
        (["--embedder=minilm"], {"smi": "logdet"}, {}),
        (["--method", "dra-robust", "--embedder", "ngram"], {"smi": "logdet"}, {"dimension": 64}),
        (
            ["--method", "dra_robust", "--method_options.jitter", "1"],
            {"smi": "logdet", "jitter": 1},
            {"dimension": 64},
        ),
    ],
)
def test_options_go_with_their_choice_and_stay_where_it_is_only_said_again(
    recipes, flags, method_options, embedder_options
):
    text = "method: dra_robust\nmethod_options: {smi: logdet}\nembedder: ngram\nembedder_options: {dimension: 64}\n"
    settings = parse_settings(["--config", recipes(a=text), *flags, *CPU])
    assert settings.dra.method_options == method_options
    assert settings.dra.embedder_options == embedder_options


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        ("lerning_rate: 1", [], r"a.yaml: unknown key 'lerning_rate'; did you mean 'learning_rate'\?$"),
        ("", [], "must be a YAML mapping"),
        ("- a\n- b", [], r"must be a YAML mapping of settings.*got \['a', 'b'\]$"),
        ("a: [", [], "is not YAML"),
        (
            "seed: 1\nmethod: dra\nseed: 2",
            [],
            r"a.yaml is not YAML: .* found duplicate key seed in .*, line 3, column",
        ),
        ("method_options: {smi: logdet, smi: graph_cut}", [], "found duplicate key smi"),
        ("extend: b.yaml", [], r"a.yaml: unknown key 'extend'; did you mean 'extends'\?"),
        ("extends: [b.yaml]", [], r"a.yaml: extends is \['b.yaml'\]; expected one file"),
        ("extends: {b: 1}", [], r"a.yaml: extends is \{'b': 1\}; expected one file"),
        ("extends: a.yaml", [], r"extends itself \(a.yaml -> a.yaml\)"),
        ("extends: nope.yaml", [], r"nope.yaml', which a.yaml extends, cannot be read: .*No such file"),
        ("seed: 1", ["--config", ""], "config file '' cannot be read"),
        ("seed: 1", ["--config"], "--config takes one value, got none"),
        ("seed: 1", ["--config", "countdwn"], "'countdwn' cannot be read: .*No such file .* `dra-grpo list recipes`$"),
        ("dataset_columns: {prompt: q}", [], r"a.yaml: unknown key 'dataset_columns'; did you mean 'columns'\?$"),
        ("method: dra", ["--columns", "q"], "columns.* has 'q'; expected ROLE=COLUMN"),
        ("method: dra", ["--columns", ""], "columns.* has ''; expected ROLE=COLUMN"),
        ("method: dra", ["--metod_options.smi", "logdet"], r"^unknown option 'metod_options'; did you mean"),
        ("method: dra", ["--method_options.smi"], "--method_options.smi takes one value, got none"),
        ("method: dra", ["--method_options.smi", "["], r"--method_options.smi is '\[', which is not YAML"),
        ("method_options: [smi, logdet]", [], r"^method_options is \['smi', 'logdet'\]; expected mapping$"),
        ("max_steps:", [], "^max_steps is null; expected int, or no line for the default$"),
        ("method_options: '{smi'", [], "^method_options is '{smi'; expected mapping$"),
        ("learning_rate: abc", [], "^learning_rate is 'abc'; expected float$"),
        ("method: dra", ["--resume", "--overwrite"], "both --resume and --overwrite"),
        ("method: dra", ["--seed", "1", "2"], "^--seed takes one value, got 1 2$"),
        ("optim: [sgd]", [], r"^optim is \['sgd'\]; did you mean 'sgd'"),
        ("lr_scheduler_type: cosin", [], "^lr_scheduler_type is 'cosin'; did you mean 'cosine'"),
        ("seed: 1.5", [], "^seed is 1.5; expected int$"),
        ("fp16: maybe", [], "^fp16 is 'maybe'; expected bool$"),
        ("reward_weights: [1, a]", [], r"^reward_weights is \[1, 'a'\]; expected list$"),
        ("seed: 1", ["--seed.x", "2"], r"^seed is \{'x': 2\}; expected int$"),
        ("resume_from_checkpoint: runs/a", [], "is not read here: use --resume, which goes on from"),
        ("method: dra", ["--resume_from_checkpoint", "true"], "^resume_from_checkpoint is 'true', .* use --resume"),
        ("do_eval: true", [], "^do_eval is True, which is not read here: eval_strategy says when it evaluates$"),
        ("save_strategy: bets", [], "^save_strategy is 'bets'; did you mean 'best'\\?$"),
        ("metric_for_best_model: gredy", ["--eval_strategy", "steps"], "is 'gredy'; did you mean 'greedy'\\?$"),
        ("metric_for_best_model: temperature", ["--load_best_model_at_end"], "is 'temperature'; known: mean, greedy"),
        ("eval_steps: 20", ["--load_best_model_at_end"], "^save_steps is 500 and eval_steps 20, .* --save_steps 20$"),
        ("validation_problems: 0", [], "^validation_problems is 0; expected at least 1$"),
        ("data_seed: 1", [], "^data_seed is 1, which is not read here: TRL draws the order"),
        ("system_prompt: Think.", [], "^system_prompt is 'Think.', but task 'countdown' has its own problems"),
        ("dataset_name: a.csv", [], "task 'countdown' has its own problems; add `task: dataset`"),
        ("task: dataset", [], "task 'dataset' needs dataset_name"),
        ("subset: 0", [], "subset is 0; expected at least 1"),
        ("max_prompt_tokens: 0", [], "max_prompt_tokens is 0; expected at least 1"),
        ("prompt_format: caht", [], "^prompt_format is 'caht'; expected chat or text$"),
        ("processes: 0", [], "processes is 0; expected at least 1"),
        ("price_per_gpu_hour: .nan", [], "price_per_gpu_hour is nan; expected at least 0"),
        ("evaluation_split: tset", [], "^evaluation_split is 'tset'; expected validation or test$"),
        ("server_gpus: -1", [], "server_gpus is -1; expected at least 0"),
        ("loss_type: grop", [], r"^loss_type is 'grop'; expected grpo, dr_grpo, .* or vespo$"),
        ("scale_rewards: false", [], "^scale_rewards is 'False'; expected group, batch or none$"),
        ("num_generations: 0", [], "^num_generations is 0; expected at least 2$"),
        ("per_device_train_batch_size: -8", [], "^per_device_train_batch_size is -8; expected at least 1$"),
        ("learning_rate: .nan", [], "^learning_rate is nan; expected at least 0$"),
        ("max_steps: 0", [], "^max_steps is 0; expected at least 1, or -1 to train for num_train_epochs$"),
        ("num_generations: 7\nper_device_train_batch_size: 8", [], "must be divisible by num_generations"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(recipes, text, flags, message):
    config = [] if "--config" in flags else ["--config", recipes(a=text)]
    with pytest.raises(UsageError, match=message) as caught:
        parse_settings([*config, *flags, *CPU])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("extended", "message"),
    [
        ({"b": "extends: c.yaml", "c": "extends: b.yaml"}, r"\(b.yaml -> c.yaml -> b.yaml\)"),
        ({"b": "lerning_rate: 1"}, r"b.yaml: unknown key 'lerning_rate'; did you mean 'learning"),
        ({"b": "- 1"}, r"b.yaml must be a YAML mapping"),
    ],
)
def test_what_is_wrong_in_an_extended_file_is_said_of_that_file(recipes, extended, message):
    with pytest.raises(UsageError, match=message):
        parse_settings(["--config", recipes(**extended, a="extends: b.yaml"), *CPU])


OWN = ["--task", "dataset", "--dataset_name", "a.jsonl"]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], ("no", None, None, None)),
        (["--load_best_model_at_end"], ("steps", 500, "mean", True)),
        (["--save_strategy", "best", "--eval_steps", "9"], ("steps", 9, "mean", True)),
        (["--load_best_model_at_end", "--metric_for_best_model", "rarely_solved"],
         ("steps", 500, "rarely_solved", False)),
        (["--eval_strategy", "steps", "--eval_steps", "9"], ("steps", 9, None, None)),
        (["--load_best_model_at_end", *OWN], ("steps", 500, "correct", True)),
        (["--load_best_model_at_end", *OWN, "--reward_funcs", "a", "b"], ("steps", 500, "reward", True)),
        (["--load_best_model_at_end", *OWN, "--metric_for_best_model", "eval_pass@8"], ("steps", 500, "pass@8", True)),
        (["--load_best_model_at_end", *OWN, "--metric_for_best_model", "rewards/a/mean"],
         ("steps", 500, "rewards/a/mean", True)),
        (["--eval_strategy", "epoch", "--save_strategy", "epoch", "--load_best_model_at_end"],
         ("epoch", None, "mean", True)),
    ],
)  # fmt: skip
def test_early_stopping_is_one_flag(flags, expected):
    args = parse_settings([*flags, *CPU]).training
    found = (args.eval_strategy, args.eval_steps, args.metric_for_best_model, args.greater_is_better)
    assert found == expected
    assert args.per_device_eval_batch_size % args.num_generations == 0
