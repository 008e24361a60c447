"""Rewards with options by name, and rows that rewards and tokenizer can take."""

import json

import pytest

pytest.importorskip("trl")

from dra_grpo.errors import UsageError
from dra_grpo.rewards import REWARDS
from dra_grpo.training.data import (
    check_rows,
    dra_config,
    fitting,
    function_name,
    reward_functions,
    rewards_by_name,
    training_data,
    training_rows,
)
from dra_grpo.training.settings import parse_settings

ONE = r"\boxed{1}"


def plain_reward(completions, solution, *, level, weight=1.0, **columns):
    return [weight for _ in completions]


def narrow_reward(prompts, completions):
    raise AssertionError("it is never called")


def settings(*flags):
    return parse_settings(["--use_cpu", "--bf16", "false", "--report_to", "none", *flags])


def test_options_reach_the_reward_that_is_called():
    (cosine,) = rewards_by_name(["cosine_length"], {"cosine-length": {"max_tokens": 4, "accuracy": {"seconds": 3}}})
    assert cosine.accuracy.seconds == 3
    assert cosine([ONE] * 2, ["1"] * 2, completion_ids=[[0] * 2, [0] * 4]) == [0.75, 0.5]
    assert REWARDS["cosine-length"].max_tokens == 3584, "the registered one stays as it was"


def test_names_and_options_come_from_the_settings():
    chosen = settings("--reward_funcs", "format", "cosine-length", "--correctness_reward", "cosine-length",
                      "--reward_options.format.answer_tags", "false")  # fmt: skip
    rewards = reward_functions(chosen)
    assert [reward.__name__ for reward in rewards] == ["format_reward", "cosine_length_reward"]
    assert rewards[0].answer_tags is False
    assert dra_config(chosen).correctness_reward == "cosine_length_reward"
    names = [None, "cosine_length_reward", "my"]
    assert [function_name(name) for name in names] == names


@pytest.mark.parametrize(
    ("names", "options", "message"),
    [
        (["format"], {"format": {"answr_tags": 1}}, "'answr_tags'; did you mean 'answer_tags'"),
        (["format"], {"formt": {}}, r"names 'formt', which reward_funcs does not; did you mean 'format'\?"),
        (["countdown"], {"countdown": {"size": 3}}, "reward 'countdown' has no option 'size'; there is none"),
        (["format"], {"format": True}, "reward_options.format is True; expected a mapping"),
        (["cosine-length"], {"cosine-length": {"accuracy": 3}}, "cosine-length.accuracy is 3; expected a mapping"),
        (["cosine-length"], {"cosine-length": {"max_tokens": "x"}}, "refuses the options {'max_tokens': 'x'}"),
        (["cosine-length"], {"cosine-length": {"max_tokens": 0}}, "expected a positive number"),
        (["cosin-length"], {}, r"did you mean 'cosine-length'\?"),
    ],
)
def test_reward_options_that_cannot_be(names, options, message):
    with pytest.raises(UsageError, match=message):
        rewards_by_name(names, options)


@pytest.mark.parametrize(
    ("names", "called"),
    [
        (["format", "format"], "format_reward"),
        (["cosine-length", "cosine_length"], "cosine_length_reward"),
        (["accuracy", "dra_grpo.rewards.accuracy:accuracy_reward"], "accuracy_reward"),
        (["os.path.join", "posixpath.join"], "join"),
    ],
)
def test_two_rewards_of_one_name(names, called):
    with pytest.raises(UsageError, match=f"is called '{called}', and so is another of {', '.join(names)}; rename one"):
        rewards_by_name(names)


GOLDS = ["12", r"\frac{1}{2}", "x^2", r"so \boxed{7}"]


@pytest.mark.parametrize("reward", ["accuracy", "cosine-length"])
def test_golds_are_graded_against_themselves_before_training(reward, capsys):
    rewards = rewards_by_name([reward])
    check_rows(rewards, [{"prompt": "?", "solution": gold} for gold in GOLDS])
    assert capsys.readouterr().out == ""
    check_rows(rewards, [{"prompt": "?", "solution": gold} for gold in [*GOLDS, {"ground_truth": "3"}]])
    said = capsys.readouterr().out
    assert said.startswith("note: 1 of 5 golds cannot be scored (row 4, {'ground_truth': '3'}: a dict; ")
    assert said.count("\n") == 1
    with pytest.raises(UsageError, match=r"^4 of 4 golds cannot be scored .*--columns solution=COLUMN$"):
        check_rows(rewards, [{"prompt": "?", "solution": {"ground_truth": gold}} for gold in GOLDS])
    check_rows(rewards_by_name(["format"]), [{"prompt": "?", "solution": None}])


def test_a_column_that_a_reward_reads_and_the_data_lacks():
    rows = [{"prompt": "1?", "solution": "1", "levle": 2}]
    check_rows(rewards_by_name(["accuracy", "format", "cosine-length"]), rows)
    with pytest.raises(UsageError, match=r"'plain_reward' cannot .* columns solution, levle: missing .*: 'level'"):
        check_rows([plain_reward], rows)
    with pytest.raises(UsageError, match=r"reward 'narrow_reward' cannot .*: got an unexpected .* 'completion_ids'"):
        check_rows([narrow_reward], rows)


def test_prompts_are_measured_as_the_trainer_tokenizes_them():
    from transformers import AutoTokenizer

    from dra_grpo.tasks.countdown import BASE_POLICY

    tokenizer = AutoTokenizer.from_pretrained(BASE_POLICY)
    rows = [{"prompt": "1" * n} for n in range(1, 6)]
    assert fitting(rows, tokenizer, 3) == rows[:3]
    assert fitting(rows, tokenizer, None) is rows
    chats = [{"prompt": [{"role": "user", "content": "1" * n}]} for n in range(1, 6)]
    with pytest.raises(UsageError, match="tokenizer has no chat template; use --prompt_format text"):
        fitting(chats, tokenizer, None)
    tokenizer.chat_template = "{{ messages[0]['content'] }}{% if add_generation_prompt %}>{% endif %}"
    assert fitting(chats, tokenizer, 3) == chats[:2]


def test_the_tasks_settings_go_where_they_belong(tmp_path):
    file = tmp_path / "a.csv"
    file.write_text("question,answer\n1+1?,2\n2+2?,4\n3+3?,6\n")
    flags = ["--task", "dataset", "--dataset_name", str(file), "--columns", "prompt=question,solution=answer",
             "--subset", "2", "--prompt_format", "text", "--system_prompt", "Add up."]  # fmt: skip
    rows = training_rows(settings(*flags))
    assert len(rows) == 2
    assert all(row["prompt"] == f"Add up.\n\n{row['question']}" and row["solution"] == row["answer"] for row in rows)
    with pytest.raises(UsageError, match="task 'dataset' has no option 'size'; there is none"):
        training_rows(settings(*flags, "--task_options.size", "3"))
    with pytest.raises(UsageError, match="task 'countdown' has no option 'sise'; did you mean 'size'"):
        training_rows(settings("--task_options.sise", "4"))


@pytest.mark.parametrize("values", [[1, "1/2"], ["1/2", 1], [{"a": 1}, [1]], [["12"], ["1", "2"]], [0.5, 2]])
def test_a_column_of_several_kinds_reaches_the_rewards_as_it_is(tmp_path, values):
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"prompt": "?", "level": value}) + "\n" for value in values))
    few = ["--num_generations", "2", "--per_device_train_batch_size", "2", "--gradient_accumulation_steps", "1"]
    chosen = settings("--task", "dataset", "--dataset_name", str(file), "--prompt_format", "text", *few)
    assert training_data(chosen, [], None)[0]["level"][:] == values
