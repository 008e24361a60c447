"""Recipes that extend recipes, and flags over them."""

import pytest

pytest.importorskip("trl")

from dra_grpo.errors import UsageError
from dra_grpo.training.recipe_file import layered
from dra_grpo.training.settings import parse_settings

CPU = ["--use_cpu", "--bf16", "false", "--report_to", "none"]


@pytest.fixture
def recipes(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            path = tmp_path / (name.replace("__", "/") + ".yaml")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


def test_a_chain_of_three_in_two_folders(recipes):
    folder = recipes(
        a="method_options: {smi: logdet, jitter: 0.1}\nseed: 1\nlearning_rate: 1e-4\nreport_to: []\n",
        sub__b="extends: ../a.yaml\nseed: 2\nmethod_options: {jitter: 0.5}\n",
        sub__c="extends: b.yaml\nlearning_rate: 1e-5\n",
    )
    settings = parse_settings(["--config", str(folder / "sub/c.yaml"), "--seed", "3", "--use_cpu"])
    assert settings.dra.method_options == {"smi": "logdet", "jitter": 0.5}
    assert (settings.training.seed, settings.training.learning_rate) == (3, 1e-5)
    assert settings.training.report_to == []
    assert "extends" not in settings.given


def test_a_packaged_recipe_is_taken_by_name_and_a_file_of_ones_own_comes_first(recipes, monkeypatch):
    folder = recipes(mine="extends: countdown\nseed: 7\n", sub__a="extends: paper/grpo\nseed: 8\n")
    monkeypatch.chdir(folder)
    mine = parse_settings(["--config", "mine.yaml"])
    assert (mine.training.seed, mine.training.max_steps, mine.dra.embedder) == (7, 200, "ngram")
    assert parse_settings(["--config", "countdown"]).training.seed == 0
    assert parse_settings(["--config", "sub/a.yaml", "--dry-run"]).dra.method == "none"
    (folder / "countdown").mkdir()
    assert parse_settings(["--config", "countdown"]).training.seed == 0
    recipes(countdown="use_cpu: true\nseed: 9\n")
    assert parse_settings(["--config", "countdown.yaml"]).training.seed == 9
    assert parse_settings(["--config", "mine.yaml", *CPU]).training.max_steps == 200
    (folder / "countdown").rmdir()
    (folder / "countdown").write_text("use_cpu: true\nseed: 10\n")
    assert parse_settings(["--config", "countdown"]).training.seed == 10
    assert parse_settings(["--config", "mine.yaml", *CPU]).training.max_steps == -1


def test_options_go_with_their_choice(recipes):
    text = "method: dra\nmethod_options: {smi: logdet}\nembedder: ngram\nembedder_options: {dimension: 64}\n"
    folder = recipes(a=text, b="extends: a.yaml\nmethod: none\n")
    b = parse_settings(["--config", str(folder / "b.yaml"), *CPU])
    assert (b.dra.method_options, b.dra.embedder_options) == ({}, {"dimension": 64})
    for flags in (["--embedder", "minilm"], ["--embedder=minilm"]):
        by_hand = parse_settings(["--config", str(folder / "a.yaml"), *flags, *CPU])
        assert (by_hand.dra.embedder, by_hand.dra.embedder_options) == ("minilm", {})
        assert by_hand.dra.method_options == {"smi": "logdet"}
    same = parse_settings(
        ["--config", str(folder / "a.yaml"), "--method", "dra", "--method_options.jitter", "1", *CPU]
    )
    assert same.dra.method_options == {"smi": "logdet", "jitter": 1}


def test_options_stay_where_the_choice_is_only_said_again(recipes):
    folder = recipes(a="embedder_options: {model: mine}\nmethod: dra_robust\nmethod_options: {smi: logdet}\n")
    again = ["--embedder", "sentence-transformer", "--method", "dra-robust"]
    settings = parse_settings(["--config", str(folder / "a.yaml"), *again, *CPU])
    assert (settings.dra.embedder_options, settings.dra.method_options) == ({"model": "mine"}, {"smi": "logdet"})


def test_mappings_merge_at_any_depth_and_from_flags():
    below = {"reward_options": {"cosine-length": {"max_tokens": 9, "short_wrong": 0.0}}, "seed": 1}
    above = {"reward_options": {"cosine-length": {"max_tokens": 5}, "format": {"answer_tags": False}}}
    both = {"cosine-length": {"max_tokens": 5, "short_wrong": 0.0}, "format": {"answer_tags": False}}
    assert layered(below, above) == {"reward_options": both, "seed": 1}
    assert below["reward_options"]["cosine-length"]["max_tokens"] == 9
    flags = ["--reward_options.cosine-length.max_tokens", "5", "--reward-options.format.answer_tags=false"]
    options = parse_settings([*flags, *CPU]).run.reward_options
    assert options == {"cosine-length": {"max_tokens": 5}, "format": {"answer_tags": False}}


def test_a_key_inside_comes_over_what_stands_outside(recipes):
    folder = recipes(a="deepspeed: zero.json\nmethod_options: {a: 1}\n")
    flags = ["--deepspeed.zero_optimization.stage", "2", "--method_options.a.b", "2", "--method_options.a.c", "3"]
    settings = parse_settings(["--config", str(folder / "a.yaml"), "--dry-run", *flags, *CPU[1:]])
    assert settings.training.deepspeed == {"zero_optimization": {"stage": 2}}
    assert settings.dra.method_options == {"a": {"b": 2, "c": 3}}


def test_a_null_takes_a_value_back(recipes):
    folder = recipes(a="save_total_limit: 2\n", b="extends: a.yaml\nsave_total_limit: null\n")
    assert parse_settings(["--config", str(folder / "b.yaml"), *CPU]).training.save_total_limit is None


def test_numbers_without_a_point_are_numbers_inside_mappings_too(recipes):
    text = "method_options: {smi: logdet, jitter: 1e-3}\nlr_scheduler_type: cosine_with_min_lr\n"
    folder = recipes(a=text + "lr_scheduler_kwargs: {min_lr: -1E+2}\nrun_name: 1e-3x\n")
    settings = parse_settings(["--config", str(folder / "a.yaml"), "--reward_options.r.x", "5e-1", *CPU])
    assert settings.dra.method_options["jitter"] == 0.001
    assert settings.training.lr_scheduler_kwargs == {"min_lr": -100.0}
    assert settings.run.reward_options == {"r": {"x": 0.5}}
    assert settings.training.run_name == "1e-3x"


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (
            {"a": "seed: 1\nmethod: dra\nseed: 2"},
            r"a.yaml is not YAML: .* found duplicate key seed in .*, line 3, column 1",
        ),
        ({"a": "method_options: {smi: logdet, smi: graph_cut}"}, "found duplicate key smi"),
        ({"a": "extends: a.yaml"}, r"extends itself \(a.yaml -> a.yaml\)"),
        ({"a": "extends: b.yaml", "b": "extends: c.yaml", "c": "extends: b.yaml"}, r"\(b.yaml -> c.yaml -> b.yaml\)"),
        (
            {"a": "extends: b.yaml", "b": "lerning_rate: 1"},
            r"b.yaml: unknown key 'lerning_rate'; did you mean 'learning",
        ),
        ({"a": "extend: b.yaml"}, r"a.yaml: unknown key 'extend'; did you mean 'extends'\?"),
        ({"a": "extends: nope.yaml"}, r"nope.yaml', which a.yaml extends, cannot be read: .*No such file"),
        ({"a": "extends: b.yaml", "b": "- 1"}, r"b.yaml must be a YAML mapping"),
    ],
)
def test_what_cannot_be_extended(recipes, texts, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_settings(["--config", str(recipes(**texts) / "a.yaml"), *CPU])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--method_options.smi", "["], r"--method_options.smi is '\[', which is not YAML"),
        (["--config", ""], "config file '' cannot be read"),
        (["--config"], "--config needs a value"),
        (["--config", "countdwn"], "'countdwn' cannot be read: .*No such file .* name of `dra-grpo list recipes`$"),
    ],
)
def test_dotted_flags_that_cannot_be(flags, message):
    with pytest.raises(UsageError, match=message):
        parse_settings([*flags, *CPU])
