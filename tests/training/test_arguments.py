"""YAML and flags to settings, and what is refused."""

import pytest

pytest.importorskip("trl")

from dra_grpo.errors import UsageError
from dra_grpo.training.arguments import parse_settings

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


def test_null_and_empty_list_are_kept(config):
    settings = parse_settings(["--config", config("report_to: []\nsave_total_limit: null\n"), "--use_cpu"])
    assert settings.training.report_to == []
    assert settings.training.save_total_limit is None


def test_a_mapping_with_every_line_commented_out_is_empty(config):
    text = "method_options:\n  # smi: logdet\ntask_options:\nreward_funcs:\nlora_target_modules: []\n"
    settings = parse_settings(["--config", config(text), *CPU])
    assert (settings.dra.method_options, settings.run.task_options, settings.run.reward_funcs) == ({}, {}, None)
    assert settings.model.lora_target_modules == []


@pytest.mark.parametrize(("said", "meant"), [("false", "none"), ("true", "group"), ("batch", "batch")])
def test_scale_rewards_may_be_the_bool_it_once_was(config, said, meant):
    assert parse_settings(["--config", config(f"scale_rewards: {said}"), *CPU]).training.scale_rewards == meant
    by_flag = parse_settings(["--scale_rewards", said, *CPU])
    assert by_flag.training.scale_rewards == meant


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        ("lerning_rate: 1", [], r"run.yaml: unknown key 'lerning_rate'; did you mean 'learning_rate'\?$"),
        ("", ["--metod", "dra"], "must be a YAML mapping"),
        ("dataset_columns: {prompt: q}", [], r"run.yaml: unknown key 'dataset_columns'; did you mean 'columns'\?$"),
        ("method: dra", ["--dataset_columns.prompt", "q"], r"'dataset_columns'; did you mean 'columns'\?$"),
        ("method: dra", ["--columns", "q"], "columns.* has 'q'; expected ROLE=COLUMN"),
        ("method: dra", ["--metod", "dra"], r"^unknown option 'metod'; did you mean 'method'\?$"),
        ("method: dra", ["--metod_options.smi", "logdet"], r"^unknown option 'metod_options'; did you mean"),
        ("method: dra", ["--method_options.smi"], "--method_options.smi needs a value"),
        ("method_options: 3", [], "--method_options.*expected a mapping; got int '3'"),
        ("method_options: []", [], r"--method_options.*expected a mapping; got list '\[\]'"),
        ("method_options: [smi, logdet]", [], "--method_options.*expected a mapping; got list"),
        ("method:", [], r"^method is null; expected a value: leave it out for the default \('dra'\)$"),
        ("max_steps:", [], r"^max_steps is null; expected a value: leave it out for the default \(-1\)$"),
        ("samples_every: []", [], r"^samples_every is an empty list; expected a value"),
        ("method_options: '{smi'", [], "--method_options.*expected a mapping, as YAML or JSON"),
        ("learning_rate: abc", [], "learning_rate.*invalid float value: 'abc'"),
        ("method: dra", ["--resume", "--overwrite"], "both --resume and --overwrite"),
        ("method: dra", ["stray"], "unexpected argument 'stray'"),
        ("- a\n- b", [], "must be a YAML mapping of settings.*got list"),
        ("a: [", [], "is not YAML"),
        ("loss_type: grop", [], r"^loss_type is 'grop'; expected grpo, dr_grpo, .* or vespo$"),
        ("scale_rewards: grup", [], "^scale_rewards is 'grup'; expected group, batch or none$"),
        ("importance_sampling_level: tokens", [], "expected token or sequence$"),
        ("num_generations: 0", [], "^num_generations is 0; expected at least 2$"),
        ("num_iterations: 0", [], "^num_iterations is 0; expected at least 1$"),
        ("per_device_train_batch_size: -8", [], "^per_device_train_batch_size is -8; expected at least 1$"),
        ("gradient_accumulation_steps: 0", [], "expected at least 1$"),
        ("max_completion_length: 0", [], "expected at least 1$"),
        ("learning_rate: .nan", [], "^learning_rate is nan; expected at least 0$"),
        ("temperature: 0", [], "^temperature is 0.0; expected a number above 0$"),
        ("vllm_mode: colocated", [], "^vllm_mode is 'colocated'; expected server or colocate$"),
        ("vllm_gpu_memory_utilization: 1", [], "expected a share between 0 and 1$"),
        ("max_steps: 0", [], "^max_steps is 0; expected at least 1, or -1 to train for num_train_epochs$"),
        ("num_generations: 7\nper_device_train_batch_size: 8", [], "must be divisible by num_generations"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(config, text, flags, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_settings(["--config", config(text), *flags, *CPU])
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there():
    with pytest.raises(UsageError, match=r"'nope.yaml' cannot be read: No such file"):
        parse_settings(["--config", "nope.yaml"])


def test_our_fields_do_not_shadow_those_of_trl():
    from dataclasses import fields

    from trl import GRPOConfig, ModelConfig

    from dra_grpo.config import DRAConfig, RunConfig

    ours = {f.name for kind in (DRAConfig, RunConfig) for f in fields(kind)}
    theirs = {f.name for kind in (GRPOConfig, ModelConfig) for f in fields(kind)}
    assert not ours & theirs
