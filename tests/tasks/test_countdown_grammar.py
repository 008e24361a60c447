import re
from fractions import Fraction
from itertools import product

import pytest

from dra_grpo.tasks.countdown import Grade, Problem, accepted_texts, verify

PROBLEM = Problem((3, 5, 2), 16)
SOLUTION = "3+5=8,8*2=16"


def plain_check(text: str, problem: Problem) -> bool:
    """The grammar written a second time: string comparison and fractions instead of integer parsing."""
    pool = [str(number) for number in problem.numbers]
    parts = text.split(",")
    for part in parts:
        found = re.match(r"\A([^-+*/=]*)([-+*/])([^-+*/=]*)=([^-+*/=]*)\Z", part, re.DOTALL)
        if not found:
            return False
        left, op, right, stated = found.groups()
        for operand in (left, right):
            if operand not in pool:
                return False
            pool.remove(operand)
        a, b = Fraction(left), Fraction(right)
        value = {"+": a + b, "-": a - b, "*": a * b, "/": a / b}[op]
        if value.denominator != 1 or value < 1 or stated != str(value.numerator):
            return False
        pool.append(stated)
    return pool == [str(problem.target)] and len(parts) == len(problem.numbers) - 1


@pytest.mark.parametrize(
    "text", [SOLUTION, "5+3=8,2*8=16", "3*2=6,6+5=11", "5*2=10,10-3=7", "5-3=2,2/2=1", "5-3=2,2*2=4"]
)
def test_accepts(text):
    problem = Problem(PROBLEM.numbers, int(text.rsplit("=", 1)[1]))
    assert verify(text, problem) == Grade(True, 2, 2, None)


@pytest.mark.parametrize(
    "text, steps, valid, error",
    [
        ("", 0, 0, "3 numbers take 2 steps, found 0."),
        ("3+5=8", 1, 1, "3 numbers take 2 steps, found 1."),
        ("3+5=8,8*2=16,16+0=16", 3, 2, "3 numbers take 2 steps, found 3."),
        ("3+5=8,8+2=10", 2, 2, "the last result is 10, not the target 16."),
        ("3+5=8,8*2=15", 2, 1, "step 2: 8*2 is 16, not 15."),
        ("3-5=2,2*2=4", 2, 1, "step 1: 3-5 is not a positive integer."),
        ("5/3=1,1+2=3", 2, 1, "step 1: 5/3 is not a positive integer."),
        ("3+3=6,6+5=11", 2, 0, "step 1: 3 is not at hand twice."),
        ("3+5=8,3*2=6", 2, 1, "step 2: 3 is not at hand."),
        ("3+5=8, 8*2=16", 2, 1, "step 2: ' 8*2=16' is not of the form 'a+b=c' in positive integers."),
        ("3+5=8,8*2=016", 2, 1, "step 2: '8*2=016' is not of the form 'a+b=c' in positive integers."),
        ("3+5=8,8*2=16\n", 2, 1, "step 2: '8*2=16\\n' is not of the form 'a+b=c' in positive integers."),
        ("3+5=8;8*2=16", 1, 0, "step 1: '3+5=8;8*2=16' is not of the form 'a+b=c' in positive integers."),
        ("junk,3+5=8,8*2=16", 3, 1, "step 1: 'junk' is not of the form 'a+b=c' in positive integers."),
    ],
)
def test_refuses_with_the_first_error(text, steps, valid, error):
    assert verify(text, PROBLEM) == Grade(False, steps, valid, error)


def test_a_result_equal_to_a_given_number_leaves_both_at_hand():
    assert verify("3+5=8,8*8=64,64/2=32", Problem((3, 5, 8, 2), 32)).correct
    assert not verify("3+5=8,8*8=64", Problem((3, 5, 2), 64)).correct


@pytest.mark.parametrize("sign", ["²", "٢", "２", "߂", "𝟐", "Ⅱ", "½", "−", "＋", "×", "÷", "·", "＝", "，", " + "])
def test_digits_and_signs_of_other_scripts_are_none(sign):
    for ours in "2*=,":
        assert not verify(SOLUTION.replace(ours, sign), PROBLEM).correct
    assert not verify(SOLUTION.replace("*2", f"*2{sign}"), PROBLEM).correct


@pytest.mark.parametrize(
    "text",
    [
        "9" * 10**6,
        "3+5=" + "8" * 10**6,
        "9" * 5000 + "+" + "9" * 5000 + "=" + "9" * 5000 + "," + SOLUTION,
        "3+5=8," * 170_000,
        "," * 10**6,
        "3+5=8\0" * 150_000,
        "\ud800" * 10**6,
        "(" * 10**6,
        "1+1=2,2+1=3," * 80_000,
    ],
    ids=["digits", "result", "huge operands", "repeats", "commas", "nul", "surrogates", "brackets", "sums"],
)
def test_hostile_text_is_refused_quickly_in_a_short_sentence(text):
    grade = verify(text, PROBLEM)  # a quadratic pass over 1 MB would take minutes
    assert not grade.correct
    assert grade.valid_steps <= 2
    assert len(grade.error) < 300
    assert grade.error.isprintable()


def test_every_string_up_to_six_characters_for_two_numbers():
    problem = Problem((2, 1), 2)
    texts = ("".join(letters) for length in range(7) for letters in product("12+*/=,", repeat=length))
    accepted = {text for text in texts if verify(text, problem).correct}
    assert accepted == {"2*1=2", "1*2=2", "2/1=2"} == set(accepted_texts(problem))


EDITS = "0123456789+-*/=,>: \n²"


@pytest.mark.parametrize(
    "problem", [PROBLEM, Problem((2, 2, 4), 8), Problem((1, 3, 4), 12), Problem((2, 3, 5, 5), 10)]
)
def test_one_character_edits_are_accepted_only_where_the_enumerator_has_them(problem):
    texts = accepted_texts(problem)
    for text in texts[:40]:
        for at in range(len(text) + 1):
            edits = {text[:at] + text[at + 1 :], *(text[:at] + new + text[at:] for new in EDITS)}
            edits |= {text[:at] + new + text[at + 1 :] for new in EDITS}
            for edit in edits:
                assert verify(edit, problem).correct == (edit in texts) == plain_check(edit, problem), edit
