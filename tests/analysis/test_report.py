"""The page of a run: what it says first, what it is compared with, and every odd run opened."""

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from dra_grpo.analysis.report import REFERENCE, write_picture, write_report
from dra_grpo.errors import UsageError
from dra_grpo.training.run import resolved_yaml
from dra_grpo.training.settings import parse_settings

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>&\"'{{ 7*7 }}"
SERIES = [
    f"dra/{name}"
    for name in ("raw_reward", "adjusted_reward", "distinct_completions", "similarity", "weight_min", "weight_max",
                 "smi", "effective_sample_size", "raw_zero_variance", "adjusted_zero_variance", "inversions")
]  # fmt: skip
CURVES = 6
NAN = float("nan")


def results(value, low=None, high=None):
    entry = {"value": value, "low": value - 0.1 if low is None else low, "high": value + 0.1 if high is None else high}
    return dict.fromkeys(("pass@1", "pass@16", "distinct", "coverage"), entry)


def ruled(base, trained):
    """What a run adds to its results at temperature 1; the figures by the rule are .2 above those."""
    sides = {"base": base + 0.2, "trained": trained + 0.2, "difference": trained - base}
    rule = {name: {**results(value), "mean": results(value)["pass@1"]} for name, value in sides.items()}
    over = {name: {"0": results(value), "1": results(value - 0.1)} for name, value in sides.items()}
    about = {"chosen_on": "7 validation problems", "temperature": {"base": 0.6, "trained": 1.2}}
    return {"one_rule": {**about, **rule}, "temperatures": over}


def write_evaluation(folder, trained, base=0.5, method="dra", problems=500, more=lambda base, trained: {}):
    folder.mkdir(exist_ok=True, parents=True)
    sides = {"base": results(base), "trained": results(trained), "difference": results(trained - base)}
    sides |= more(base, trained)
    about = {"task": "countdown", "split": "test", "problems": problems, "method": method}
    (folder / "eval.json").write_text(json.dumps({**about, **sides}))


def write_metrics(folder, lines):
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def run(tmp_path):
    """A finished run of the recipe `countdown` with a model that writes HTML."""
    folder = tmp_path / "run"
    write_evaluation(folder, 0.6)
    write_metrics(folder, [{"step": 1, "dra/adjusted_reward": 0.5}])
    (folder / "metrics.jsonl").open("a").write('{"step": 2, "cut')
    group = {"id": "a", "step": 1, "prompt": HOSTILE, "completions": [HOSTILE, "1+1=2"], "correct": [False, True],
             "rewards": [None, 1.0], "adjusted": [None, 0.5], "smi": [None, 1.0],
             "advantages": [0.0, 0.7]}  # fmt: skip
    (folder / "samples.jsonl").write_text(json.dumps(group) + "\n")
    settings = parse_settings(["--config", "countdown", "--output_dir", str(folder), "--method_options.smi", "logdet"])
    (folder / "config.yaml").write_text(resolved_yaml(settings))
    return folder


def lead(page):
    """The text of the first sentence."""
    return " ".join(re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)[1].split())


def test_model_output_is_escaped_and_nothing_is_loaded_from_elsewhere(run):
    page = write_report(run).read_text()
    assert HOSTILE not in page
    assert "<script" not in page
    assert "Content-Security-Policy\" content=\"default-src 'none'" in page
    assert "&lt;script&gt;alert(1)" in page
    assert "{{ 7*7 }}" in page
    assert not re.search(r'(src|href)="(?!#)|url\((?!#)|@import', page)


@pytest.mark.parametrize("name", ["<script>alert(3)&", "$x$_{"])
def test_a_folders_name_is_text(run, name):
    other = run.with_name(name)
    shutil.copytree(run, other)
    page = write_report(other, [run]).read_text()
    assert "<script" not in page
    assert name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in page


def test_it_begins_with_what_happened_and_the_trade_off(run):
    lines = [{"step": s, "dra/share_of_step": 0.01, **dict.fromkeys(SERIES, s / 10)} for s in range(1, 41)]
    lines[3]["dra/smi"] = None
    write_metrics(run, lines)
    page = write_report(run).read_text()
    assert lead(page).startswith("DRA took pass@1 from 0.500 to 0.600 and pass@16 from 0.500 to 0.600; 16 samples now")
    assert "0.60 distinct correct solutions, 0.50 before." in lead(page)
    assert page.index('class="lead"') < page.index("One sample against sixteen") < page.index("Does it learn?")
    assert "The adjustment took 1.00% of the median step" in page
    assert "dra smi=logdet on countdown · 40 steps" in " ".join(page.split())
    assert page.count("<svg") == 2 + CURVES


@pytest.mark.parametrize(
    ("trained", "said"), [(0.55, "shows no clear difference from"), (0.75, "is better than"), (0.25, "is worse than")]
)
def test_it_begins_with_the_rule_and_what_training_gave_beyond_sampling_colder(run, trained, said):
    write_evaluation(run, trained, more=ruled)
    page = write_report(run).read_text()
    assert lead(page).startswith(
        f"DRA took greedy accuracy from 0.700 to {trained + 0.2:.3f} and, with 15 more samples"
    )
    gain = trained - 0.5
    interval = f"{gain:+.3f} ({gain - 0.1:+.3f} to {gain + 0.1:+.3f})"
    assert f"it {said} the untrained policy at its best temperature, 0.6: {interval}." in lead(page)
    for row in ("greedy", "pass@16 by the rule", "mean over k by the rule", "pass@1 at T = 1", "coverage at T = 1"):
        assert f"<tr><th>{row}</th>" in page
    assert "0.6 for the base, 1.2 for the trained policy, chosen on 7 validation problems" in " ".join(page.split())


def test_a_run_with_temperatures_beside_one_without(run, tmp_path):
    write_evaluation(run, 0.6, more=ruled)
    write_evaluation(tmp_path / "old", 0.7, method="none")
    page = write_report(run, [tmp_path / "old"]).read_text()
    assert "Plain GRPO" not in lead(page), "at temperature 1 alone it is not to be told beside figures by the rule"
    table = page.partition("held-out problems</h2>")[2].partition("</table>")[0]
    assert table.count('<td class="number">–</td>') == 3
    assert "pass@1 from 0.500 to 0.700" in lead(write_report(tmp_path / "old", [run]).read_text())


@pytest.mark.parametrize(("seed", "shown"), [(1, "1"), (7, "0")])
def test_plain_grpo_of_the_same_recipe_is_shown_from_the_package(run, seed, shown):
    plain = json.loads(REFERENCE.read_text())
    write_evaluation(run, 0.6, base=plain["base"]["pass@1"]["value"])
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, "seed": seed, "embedder": "minilm"}))
    page = write_report(run).read_text()
    assert f"Plain GRPO (packaged) reached {plain['trained'][shown]['pass@1']['value']:.3f}" in lead(page)
    assert f"(seed {shown})" in page
    assert "dra-grpo train --config countdown --method none --seed SEED" in page
    assert "trl 1.16.0" in page


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"max_steps": 3, "learning_rate": 1e-5}, "learning_rate 1e-05 (there 0.0001), max_steps 3 (there 200)"),
        ({"temperature": 0.7}, "temperature 0.7 (there None)"),
        ({"reward_funcs": ["format"]}, "reward_funcs [&#39;format&#39;] (there None)"),
        ({}, "the base policy"),
    ],
)
def test_plain_grpo_of_another_recipe_is_not_shown_and_the_page_says_why(run, change, reason):
    config = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump({**config, **change}))
    page = write_report(run).read_text()
    assert f"this run differs from them in {reason}." in page
    assert "GRPO (packaged)" not in page
    assert f"dra-grpo report {run} --against {run}-grpo" in page


def test_plain_grpo_itself_is_compared_with_nothing(run):
    write_evaluation(run, 0.7, method="none")
    page = write_report(run).read_text()
    assert lead(page).startswith("Plain GRPO took pass@1 from 0.500 to 0.700")
    assert "packaged" not in page


def test_the_packaged_results_are_those_of_the_repository():
    source = Path(__file__).parents[2] / "results" / "countdown"
    packaged = json.loads(REFERENCE.read_text())
    for seed, trained in packaged["trained"].items():
        measured = json.loads((source / f"none-{seed}.json").read_text())
        for result in ("pass@1", "pass@16", "distinct", "coverage"):
            assert trained[result] == pytest.approx(measured["trained"][result], abs=1e-4)
            assert packaged["base"][result] == pytest.approx(measured["base"][result], abs=1e-4)


def test_runs_are_shown_side_by_side(run, tmp_path):
    write_evaluation(tmp_path / "grpo", 0.8, method="none")
    write_evaluation(tmp_path / "more" / "run", 0.9)
    for other in ("grpo", "more/run"):
        write_metrics(tmp_path / other, [{"step": 99, "dra/adjusted_reward": 0.5}])
    page = write_report(run, [tmp_path / "grpo", run / ".." / "more" / "run", run]).read_text()
    assert lead(page).startswith("DRA (run) took pass@1")
    assert "Plain GRPO reached 0.800" in lead(page)
    assert "DRA (more/run) reached 0.900" in lead(page)
    assert "adjusted reward, grpo" in page
    assert "packaged" not in page


def test_runs_on_different_problems_are_not_compared(run, tmp_path):
    write_evaluation(tmp_path / "few", 0.8, problems=20)
    with pytest.raises(UsageError, match="run on 500 test problems of countdown, few on 20 test problems"):
        write_report(run, [tmp_path / "few"])


def test_a_report_of_the_folder_one_stands_in_has_its_name(run, monkeypatch):
    monkeypatch.chdir(run)
    assert "<h1>run</h1>" in write_report(".").read_text()


@pytest.mark.parametrize(
    ("lines", "weights", "sentence", "plots"),
    [
        (None, True, "The run left no logged step and no evaluation.", 0),
        ([], False, "The run was stopped before its first logged step.", 0),
        ([{"step": 1, "dra/raw_reward": 0.25}], True, "The run trained for 1 step: the mean reward went", 1),
        ([{"step": s, "dra/raw_reward": s / 8} for s in (1, 2)], False, "The run was stopped after 2 steps", 1),
        ([{"step": 1, "dra/raw_reward": NAN, "dra/smi": None, "dra/adjusted_reward": "x"}], True, "The run left", 0),
    ],
)  # fmt: skip
def test_a_run_without_evaluation(run, lines, weights, sentence, plots):
    for file in ("eval.json", "metrics.jsonl", "samples.jsonl"):
        (run / file).unlink()
    if lines is not None:
        write_metrics(run, lines)
    if weights:
        (run / "model.safetensors").touch()
    page = write_report(run).read_text()
    assert lead(page).startswith(sentence)
    assert page.count("<svg") == plots
    assert ("--resume" in page) is not weights
    assert lines is None or len(lines) < 2 or "from 0.125 to 0.250." in lead(page)
    assert "held-out" not in page


def test_one_step_is_a_point_and_zeros_are_not_drawn(run):
    write_metrics(run, [{"step": 1, "dra/raw_reward": 0.5, "dra/inversions": 0.0}])
    page = write_report(run).read_text()
    assert page.count("<svg") == 2 + 1
    assert "Does a wrong answer ever win?" not in page
    assert 'id="m' in page[page.index("Does it learn?") :]


def test_a_policy_that_training_destroyed_is_told_and_left_out_of_the_plots(run):
    write_evaluation(run, NAN)
    page = write_report(run).read_text()
    assert "pass@1 from 0.500 to nan" in lead(page)
    assert "nan" not in "".join(re.findall(r"<path[^>]*>", page)).lower()


def test_only_a_run_is_reported(tmp_path):
    with pytest.raises(UsageError, match=r"holds no run; expected a directory that `dra-grpo train` wrote"):
        write_report(tmp_path)
    (tmp_path / "metrics.jsonl").write_text("no json\n")
    with pytest.raises(UsageError, match="line 1 is no JSON"):
        write_report(tmp_path)


def test_the_picture_alone(run, tmp_path):
    write_evaluation(tmp_path / "base", 0.7, method="none")
    picture = write_picture([run, tmp_path / "base"], tmp_path / "new" / "picture.svg").read_text()
    assert picture.startswith("<?xml")
    assert all(label in picture for label in (">base<", ">DRA<", ">plain GRPO<"))
    with pytest.raises(
        UsageError, match=r"metrics.jsonl/x.svg cannot be written: .*; make room, or choose another place"
    ):
        write_picture([run], run / "metrics.jsonl" / "x.svg")
    with pytest.raises(UsageError, match=r"a plot cannot be a file of type 'docx'; expected one of .*svg"):
        write_picture([run], tmp_path / "x.docx")
    (run / "eval.json").unlink()
    with pytest.raises(UsageError, match=r"holds no eval.json"):
        write_picture([run], tmp_path / "picture.svg")


@pytest.mark.parametrize(
    ("means", "config", "said"),
    [
        ([0.6, 0.8, 0.7], {}, "Mean is best at step 25; the weights of the last step are kept"),
        ([0.9, 0.8, 0.7], {"load_best_model_at_end": True},
         "Mean is best before the first step; the weights of the best trained step are kept"),
        ([0.6, 0.8, 0.7], {"metric_for_best_model": "rarely_solved", "greater_is_better": False},
         "Rarely_solved is best at step 50; "),
    ],
)  # fmt: skip
def test_the_best_step_is_marked(run, means, config, said):
    before = yaml.safe_load((run / "config.yaml").read_text())
    (run / "config.yaml").write_text(yaml.safe_dump(before | config))
    steps = [{"step": 25 * n, "eval_mean": mean, "eval_greedy": 0.7, "eval_rarely_solved": 0.3 - n / 10}
             for n, mean in enumerate(means)]  # fmt: skip
    write_metrics(run, [{"step": 1, "dra/raw_reward": 0.5}, *steps])
    page = write_report(run).read_text()
    assert said in " ".join(page.split())
    drawn = page.partition("On validation problems")[2].partition("<h2>")[0]
    assert ">mean over k<" in drawn
    assert ">correct<" not in drawn
    assert re.search(r">best, step (\d+)<", drawn)[1] in said or "before" in said
