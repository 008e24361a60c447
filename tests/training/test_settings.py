"""YAML and flags to settings, and what is refused."""

from dataclasses import fields
from enum import Enum
from pathlib import Path

import pytest

pytest.importorskip("trl")

from dra_grpo.errors import UsageError
from dra_grpo.training.fields import NEEDS, UNREAD, default, field_types, fitted
from dra_grpo.training.run import resolved_yaml
from dra_grpo.training.settings import OURS, parse_settings

CPU = ["--use_cpu", "--bf16", "false", "--report_to", "none"]


@pytest.fixture
def config(tmp_path):
    def write(text):
        path = tmp_path / "run.yaml"
        path.write_text(text)
        return str(path)

    return write


def test_flag_wins_over_file_and_both_are_converted(config):
    path = config("method: none\nlearning_rate: 1e-4\nnum_generations: 4\nper_device_train_batch_size: 8\n")
    settings = parse_settings(["--config", path, "--method", "dra", "--num-generations", "8", *CPU])
    assert (settings.dra.method, settings.training.num_generations) == ("dra", 8)
    assert settings.training.learning_rate == 1e-4
    assert {"method", "learning_rate", "num_generations", "use_cpu"} <= settings.given


def test_mappings_from_yaml_json_and_dotted_flags(config):
    path = config("method_options: {smi: logdet, jitter: 0.1}\n")
    settings = parse_settings(
        [f"--config={path}", "--method_options.jitter", "0.5", "--method-options.clamp=false", *CPU]
    )
    assert settings.dra.method_options == {"smi": "logdet", "jitter": 0.5, "clamp": False}
    settings = parse_settings(["--method_options", '{"smi": "logdet"}', *CPU])
    assert settings.dra.method_options == {"smi": "logdet"}


def test_flags_are_text_where_text_is_wanted_and_yaml_elsewhere(config):
    flags = ["--run_name", "007", "--system_prompt", "a: ${b} ${", "--reward_funcs", "format", "accuracy"]
    flags += ["--task", "dataset", "--dataset_name", "1e3", "--reward_weights", "1", "2e-1", "--logging_first_step"]
    settings = parse_settings([*flags, "--report_to", "tensorboard", *CPU[:3], "--columns", "prompt=a,solution=b.c"])
    assert (settings.training.run_name, settings.dataset.system_prompt) == ("007", "a: ${b} ${")
    assert (settings.run.reward_funcs, settings.dataset.dataset_name) == (["format", "accuracy"], "1e3")
    assert (settings.training.reward_weights, settings.training.logging_first_step) == ([1.0, 0.2], True)
    assert settings.dataset.columns == {"prompt": "a", "solution": "b.c"}
    text = "task: dataset\ndataset_name: a\nsystem_prompt: 'Say ${x} \\\\frac ${'\nembedder_options: {'${k}': '${v'}\n"
    settings = parse_settings(["--config", config(text), *CPU])
    assert settings.dataset.system_prompt == "Say ${x} \\\\frac ${"
    assert settings.dra.embedder_options == {"${k}": "${v"}


def test_a_single_item_is_a_list_of_one_and_no_is_a_word_where_words_are_chosen_from(config):
    settings = parse_settings(["--config", config("reward_funcs: countdown\nsave_strategy: no\nfp16: no\n"), *CPU])
    assert (settings.run.reward_funcs, settings.training.save_strategy) == (["countdown"], "no")
    assert settings.training.fp16 is False
    assert parse_settings(["--save_strategy", "no", "--reward_funcs", "[a, b]", *CPU]).run.reward_funcs == ["a", "b"]


def test_every_field_takes_its_own_default():
    from trl import GRPOConfig, ModelConfig

    kinds = (*OURS, ModelConfig, GRPOConfig)
    types = field_types(*kinds)
    for one in [f for kind in kinds for f in fields(kind) if f.init]:
        value = default(one)
        value = value.value if isinstance(value, Enum) else value
        assert fitted(one.name, value, types[one.name]) == value, one.name


def test_what_the_defaults_of_unread_fields_say_is_no_request(config):
    defaults = "do_eval: false\neval_strategy: no\nper_device_eval_batch_size: 8\nresume_from_checkpoint:\n"
    parse_settings(["--config", config(defaults), *CPU])


def test_the_docs_list_every_field_that_is_not_read():
    text = (Path(__file__).parents[2] / "docs/recipes.md").read_text()
    assert [name for name in UNREAD if f"`{name}`" not in text] == []
    assert [start for start in NEEDS if f"`{start.removesuffix('_')}" not in text] == []


def test_what_is_without_effect_is_told(config):
    text = "lora_r: 8\nvllm_mode: colocate\nhub_model_id: a/b\nrun_name: mine\nuse_peft: false\n"
    assert parse_settings(["--config", config(text), *CPU]).without_effect() == [
        "hub_model_id without effect: push_to_hub is False",
        "lora_r without effect: use_peft is False",
        "vllm_mode without effect: use_vllm is False",
        "run_name without effect: report_to is []",
    ]
    own = ["--task", "dataset", "--dataset_name", "a.jsonl", "--evaluation_problems", "20", *CPU]
    assert parse_settings(own).without_effect()[0].startswith("evaluation_problems without effect: task 'dataset'")
    used = ["--use_peft", "true", "--use_vllm", "true", "--run_name", "mine", "--report_to", "tensorboard"]
    assert (
        parse_settings(["--config", config("lora_r: 8\nvllm_mode: colocate\n"), *used, *CPU[:3]]).without_effect()
        == []
    )


@pytest.mark.parametrize("recipe", ["countdown", "paper/one-gpu/dra-dr-grpo", "paper/dra-grpo"])
def test_the_resolved_yaml_is_taken_again_and_says_the_same(tmp_path, recipe):
    flags = ["--save_strategy", "no", "--logging_steps", "0.5", "--lora_target_modules", "q", "--report_to", "none"]
    flags += ["--max_prompt_tokens", "4000"]
    before = parse_settings(["--config", recipe, "--dry-run", *flags])
    file = tmp_path / "config.yaml"
    file.write_text(resolved_yaml(before))
    after = parse_settings(["--config", str(file), "--dry-run"])
    assert resolved_yaml(after) == resolved_yaml(before)
    for part in ("run", "dra", "model", "dataset"):
        assert vars(getattr(after, part)) == vars(getattr(before, part))
    assert after.training.to_dict() == before.training.to_dict()


def test_a_mapping_with_every_line_commented_out_is_empty(config):
    text = "method_options:\n  # smi: logdet\ntask_options:\nreward_funcs:\nlora_target_modules: []\n"
    settings = parse_settings(["--config", config(text), *CPU])
    assert (settings.dra.method_options, settings.run.task_options, settings.run.reward_funcs) == ({}, {}, None)
    assert settings.model.lora_target_modules == []


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        ("lerning_rate: 1", [], r"run.yaml: unknown key 'lerning_rate'; did you mean 'learning_rate'\?$"),
        ("", [], "must be a YAML mapping"),
        ("dataset_columns: {prompt: q}", [], r"run.yaml: unknown key 'dataset_columns'; did you mean 'columns'\?$"),
        ("method: dra", ["--dataset_columns.prompt", "q"], r"'dataset_columns'; did you mean 'columns'\?$"),
        ("method: dra", ["--columns", "q"], "columns.* has 'q'; expected ROLE=COLUMN"),
        ("method: dra", ["--metod", "dra"], r"^unknown option 'metod'; did you mean 'method'\?$"),
        ("method: dra", ["--metod_options.smi", "logdet"], r"^unknown option 'metod_options'; did you mean"),
        ("method: dra", ["--method_options.smi"], "--method_options.smi needs a value"),
        ("method_options: [smi, logdet]", [], r"^method_options is \['smi', 'logdet'\]; expected mapping$"),
        ("max_steps:", [], "^max_steps is null; expected int, or no line for the default$"),
        ("method_options: '{smi'", [], "^method_options is '{smi'; expected mapping$"),
        ("learning_rate: abc", [], "^learning_rate is 'abc'; expected float$"),
        ("method: dra", ["--resume", "--overwrite"], "both --resume and --overwrite"),
        ("method: dra", ["--seed", "1", "2"], "^unexpected argument '2': --seed takes one value$"),
        ("optim: [sgd]", [], r"^optim is \['sgd'\]; did you mean 'sgd'"),
        ("lr_scheduler_type: cosin", [], "^lr_scheduler_type is 'cosin'; did you mean 'cosine'"),
        ("seed: [1, 2]", [], r"^seed is \[1, 2\]; expected int$"),
        ("seed: 1.5", [], "^seed is 1.5; expected int$"),
        ("fp16: maybe", [], "^fp16 is 'maybe'; expected bool$"),
        ("reward_weights: [1, a]", [], r"^reward_weights is \[1, 'a'\]; expected list$"),
        ("seed: 1", ["--seed.x", "2"], r"^seed is \{'x': 2\}; expected int$"),
        ("resume_from_checkpoint: runs/a/checkpoint-2", [], "is not read here: use --resume, which goes on from"),
        ("method: dra", ["--resume_from_checkpoint", "true"], "^resume_from_checkpoint is 'true', .* use --resume"),
        (
            "do_eval: true",
            [],
            "^do_eval is True, which is not read here: nothing is evaluated while it trains; .*eval`$",
        ),
        ("save_strategy: best", [], "^save_strategy is 'best', which needs evaluations"),
        ("data_seed: 1", [], "^data_seed is 1, which is not read here: TRL draws the order"),
        ("system_prompt: Think.", [], "^system_prompt is 'Think.', but task 'countdown' brings its own problems"),
        ("- a\n- b", [], r"must be a YAML mapping of settings.*got \['a', 'b'\]$"),
        ("a: [", [], "is not YAML"),
        ("scale_rewards: false", [], "^scale_rewards is 'False'; expected group, batch or none$"),
        ("loss_type: grop", [], r"^loss_type is 'grop'; expected grpo, dr_grpo, .* or vespo$"),
        ("scale_rewards: grup", [], "^scale_rewards is 'grup'; expected group, batch or none$"),
        ("num_generations: 0", [], "^num_generations is 0; expected at least 2$"),
        ("per_device_train_batch_size: -8", [], "^per_device_train_batch_size is -8; expected at least 1$"),
        ("learning_rate: .nan", [], "^learning_rate is nan; expected at least 0$"),
        ("max_steps: 0", [], "^max_steps is 0; expected at least 1, or -1 to train for num_train_epochs$"),
        ("num_generations: 7\nper_device_train_batch_size: 8", [], "must be divisible by num_generations"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(config, text, flags, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_settings(["--config", config(text), *flags, *CPU])
    assert "\n" not in str(caught.value)


def test_our_fields_do_not_shadow_those_of_trl():
    from trl import GRPOConfig, ModelConfig

    from dra_grpo.config import DRAConfig, RunConfig

    ours = {f.name for kind in (DRAConfig, RunConfig) for f in fields(kind)}
    theirs = {f.name for kind in (GRPOConfig, ModelConfig) for f in fields(kind)}
    assert not ours & theirs
