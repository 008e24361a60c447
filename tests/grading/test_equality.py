"""Which answers equal a gold and which near misses do not, by kind: gold, what is right, what is wrong."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dra_grpo.grading.grader import Grader

Rows = list[tuple[str, list[str], list[str]]]

SMALL: Rows = [
    (
        r"\frac{3^{100}-2^{100}}{3^{100}}",
        [r"1-\left(\frac{2}{3}\right)^{100}"],
        [r"\frac{3^{99}-2^{99}}{3^{99}}", "1"],
    ),
    (r"\frac{1}{52!}", [r"\frac{1}{52\cdot 51!}"], [r"\frac{1}{51!}", "0"]),
    ("e^{-40}", [r"\frac{1}{e^{40}}", r"4.248354255 \times 10^{-18}"], ["e^{-41}", r"4.25 \times 10^{-18}", "0"]),
    ("10^{-20}", [r"\frac{1}{10^{20}}", r"\sqrt{10^{-40}}"], ["10^{-21}", "0", r"\sin(10^{-20})", r"\ln(1+10^{-20})"]),
    ("0", [r"\sqrt{2}+\sqrt{3}-\sqrt{5+2\sqrt{6}}"], ["10^{-400}", "e^{-1000}"]),
    (r"3 \cdot 2^{-100}", [r"12 \cdot 4^{-51}"], [r"3 \cdot 2^{-101}"]),
    (r"\binom{100}{50}^{-1}", [r"\frac{50!50!}{100!}"], [r"\binom{100}{49}^{-1}"]),
    (r"\sqrt{2}\cdot 10^{-20}", [r"\sqrt{2 \cdot 10^{-40}}"], [r"\sqrt{3}\cdot 10^{-20}"]),
    (r"\pi", [r"4\arctan(1)"], [r"\pi - 10^{-17}"]),
    (r"\sqrt{10^{100}+1}", [], ["10^{50}"]),
    (r"\frac{2^{1000}}{3}", [r"\frac{4^{500}}{3}"], [r"\frac{2^{1000}+1}{3}"]),
    (r"\sum_{k=1}^{10} \frac{1}{10^{2k}}", [], [r"\sum_{k=1}^{11} \frac{1}{10^{2k}}"]),
    (r"\frac{x+1}{52!}", [], [r"\frac{x+1}{51!}"]),
    (r"\frac{x}{10^{20}}", ["10^{-20}x"], ["10^{-21}x"]),
]

SMALL_INSIDE: Rows = [
    ("(0.0000002, 3)", [r"(2 \cdot 10^{-7}, 3)"], ["(0.0000004, 3)"]),
    ("(3, 0.0000002)", [], ["(3, 0.0000004)"]),
    ("[0.0000002, 3)", [r"[\frac{2}{10000000}, 3)"], ["[0.0000004, 3)", "(0.0000002, 3)"]),
    (r"\{0.0000002, 3\}", [r"\{3, 2 \cdot 10^{-7}\}"], [r"\{0.0000004, 3\}"]),
    ("0.0000002, 3", [], ["0.0000004, 3"]),
    (
        r"\begin{pmatrix} 0.0000002 \\ 3 \end{pmatrix}",
        [r"\begin{pmatrix} 2\cdot 10^{-7} \\ 3 \end{pmatrix}"],
        [r"\begin{pmatrix} 0.0000004 \\ 3 \end{pmatrix}"],
    ),
    (r"\begin{pmatrix} 10^{-20} \\ 3 \end{pmatrix}", [], [r"\begin{pmatrix} 10^{-21} \\ 3 \end{pmatrix}"]),
    ("(10^{-20}, 10^{-21})", [], ["(10^{-21}, 10^{-20})"]),
    ("x < 10^{-20}", [r"x < \frac{1}{10^{20}}"], ["x < 10^{-21}"]),
    ("x = 10^{-20}", ["10^{-20}"], ["x = 10^{-21}"]),
    (r"x \in (0, e^{-40})", ["(0, e^{-40})"], ["(0, e^{-41})"]),
    ("0.0000002x", [r"2 \cdot 10^{-7}x"], ["0.0000004x"]),
    (r"\{1, e^{-40}\}", [], [r"\{1, e^{-41}\}"]),
]

ROUNDED: Rows = [
    (r"(\frac{1}{3}, 2)", ["(0.333333, 2)"], ["(0.3333, 2)"]),
    (r"\frac{\pi^2}{6}", ["1.644934"], ["1.6449"]),
    (r"1.5x + 2", [r"\frac{3x}{2}+2"], [r"\frac{3x}{2}+2.0000001"]),
    (r"3\sqrt{2}\cdot 10^{-9}", [r"4.24264069 \cdot 10^{-9}"], [r"4.3 \cdot 10^{-9}"]),
    (r"0.333\ldots", ["0.333...", "0.333"], ["0.334"]),
]

PERCENT: Rows = [
    (r"18\%", ["18", "0.18", "18 percent", "18％"], [r"0.18\%", "1.8", "19"]),
    ("0.18", [r"18\%"], [r"0.18\%"]),
    (r"0.5\%", ["0.005", r"\frac{1}{2}\%"], ["0.5", "50"]),
    (r"0.00002\%", ["0.0000002", r"2\cdot 10^{-5}\%"], [r"0.00004\%", "0.0000004"]),
    (r"\frac{100}{3}\%", [r"\frac13"], [r"33.3\%"]),
    (r"20\%, 30\%", ["0.2, 0.3", "20, 30"], ["20, 31"]),
    (r"(50\%, 60)", ["(0.5, 60)"], ["(0.05, 60)"]),
    (r"(0.00002\%, 3)", [], [r"(0.00004\%, 3)"]),
]

FONTS: Rows = [
    (
        "58",
        [
            *(
                r"\boldsymbol{58}",
                r"{\bf 58}",
                r"\bf{58}",
                r"\bf 58",
                r"\underline{58}",
                r"\underline{\underline{58}}",
            ),
            *("**58**", "*58*", "__58__", "`58`", r"58\\", r"\mathbf{58}.\\", r"\large 58", r"\textcolor{red}{58}"),
        ],
        [r"\boldsymbol{59}", r"{\bf 59}", r"\underline{85}", r"\overline{58}", "**85**", r"85\\", r"5\\8", "5*8"],
    ),
    ("8", ["2**3"], ["2*3"]),
    ("x^{10}y", ["x**10*y"], ["x**1*y"]),
    (r"2\sqrt{3}", [r"\mathbf{2\sqrt{3}}", r"2\sqrt{\mathbf{3}}"], [r"\mathbf{3\sqrt{2}}"]),
    (r"\frac{1}{2}", [r"\bm{\frac12}", r"\mathbf{\frac{1}{2}}"], [r"\boldsymbol{\frac{2}{1}}"]),
    ("x+1", [r"\boldsymbol{x+1}", r"\mathbf{x+1}"], [r"\boldsymbol{x-1}"]),
    (r"\mathbf{i}+\mathbf{j}", [r"\mathbf{j}+\mathbf{i}"], [r"\mathbf{i}-\mathbf{j}"]),
    (
        r"\begin{pmatrix} 1 \\ 2 \end{pmatrix}",
        [r"\mathbf{\begin{pmatrix} 1 \\ 2 \end{pmatrix}}"],
        [r"\mathbf{\begin{pmatrix} 2 \\ 1 \end{pmatrix}}"],
    ),
    (
        "5",
        [r"\begin{aligned} x &= 5 \end{aligned}", r"\begin{align*} x &= 2+3 \\ &= 5 \end{align*}", r"x=\mathbf{5}"],
        [r"\begin{aligned} x &= 6 \end{aligned}", r"\begin{aligned} x &= 5 \\ y &= 6 \end{aligned}", r"x=\mathbf{6}"],
    ),
    ("x=5, y=6", [r"\begin{aligned} x &= 5 \\ y &= 6 \end{aligned}"], [r"\begin{aligned} x &= 5 \end{aligned}"]),
    (r"\text{yes}", ["**Yes**"], [r"\textbf{No}"]),
]

UNITS: Rows = [
    (
        "100",
        [
            *(r"100^\circ \mathrm{C}", r"100^{\circ}\mathrm{C}", r"100^\circ C", r"100\,^\circ\text{F}", "100°C"),
            "100 ℃",
        ],
        [r"101^\circ \mathrm{C}", r"100^\circ + C", "100C", "100 C", r"100^2 \mathrm{C}"],
    ),
    (
        "36",
        [r"36\text{元}", "36元", "36千克", r"36 \text{개}", r"36\text{メートル}", "36 元/千克"],
        [r"37\text{元}", r"36\text{万}", "36万元", "36亿", r"36\text{或}37", "36千", r"36\text{만 원}"],
    ),
    (
        "24",
        [
            *(r"24 \text{ mètres}", "24 mètres", r"24\text{ метров}", "24 км/ч", r"24 \text{ Stück}", "24 años"),
            *("24 cm²", r"24 \text{ m³}"),
        ],
        [
            *(r"25 \text{ mètres}", r"24 \text{ mille}", r"24 \text{ Millionen}", r"24\text{ тысяч}", "24 m²"),
            *(r"24 \text{ ou six}", r"24 \text{ heures et demie}", "24θ", "24 λ", "24 αβγ"),
        ],
    ),
]

UNICODE: Rows = [
    ("(2,3)", ["（2，3）", "（2、3）"], ["（3，2）"]),
    ("36", ["３６", "３６。"], ["６３"]),
    ("x=3", ["ｘ＝３"], ["ｙ＝３", "x=－３"]),
    (r"\{1,2\}", ["｛1，2｝"], ["｛1，3｝"]),
    ("1234", [], ["１，２３４"]),
    (r"2\sqrt{3}", ["2√3", "√12", "√(12)"], ["3√2", "√2√3"]),
    (r"\sqrt{x+1}", ["√(x+1)"], ["√x+1"]),
    (r"\sqrt[3]{2}", ["∛2"], ["√2"]),
    ("x^2", ["x²", "𝑥²"], ["x2", "2x", "x³"]),
    ("x^{10}", ["x¹⁰"], ["x¹"]),
    ("x_1", ["x₁"], ["x₂"]),
    ("0.03", ["3×10⁻²"], ["3×10²"]),
    (r"\frac{1}{2}", ["½", "1⁄2"], ["12", "2", "¼"]),
    (r"\frac{5}{2}", ["2½"], ["1"]),
    (r"1, 2, \dots, 9", [r"1, 2, \ldots, 9", "1, 2, …, 9", "1, 2, ..., 9"], [r"1, 2, \ldots, 10", "1, 2, 9"]),
    (r"1,2,\ldots,n", [r"1,2,\cdots,n"], [r"1,2,\cdots,m"]),
    ("[1,2]", ["x∈[1,2]"], ["x∈(1,2)"]),
]

CONSTANTS: Rows = [
    (r"\frac{1}{\mathrm{e}}", ["e^{-1}", r"\frac{1}{\text{e}}"], ["e", r"\frac{1}{2}"]),
    (r"\mathrm{e}^2", ["e^2"], ["e^3", "2e"]),
    (r"3+4\mathrm{i}", ["4i+3", r"4\mathrm{i}+3"], ["4i-3", "3+4"]),
    ("4i+3", [r"3+4\mathrm{i}"], [r"3-4\mathrm{i}"]),
    ("-1", ["i^2", r"e^{i\pi}"], ["i", "i^4"]),
    ("2i", ["(1+i)^2"], ["(1-i)^2"]),
    (r"\sum_{i=1}^{10} i", ["55"], ["54"]),
]

CHOICES: Rows = [
    (
        "C",
        [
            *(
                "(C)",
                r"\textbf{C}",
                r"\textbf{(C)}\ 15",
                r"\text{C. } 15",
                "C)",
                "C.",
                "C: 15",
                "(C) 15",
                "**(C) 15**",
            ),
            r"\text{C) 15 cm}",
        ],
        [
            *(r"\textbf{(B)}\ 15", r"\text{D. } 15", "D)", "15", "15C", "C+1", "C = 15", r"\text{Cat}", "C, D", "CD"),
            *(r"\text{(C) or (D)}", r"\textbf{(C)}\ 15\ \textbf{(D)}\ 16", "(C)^2", "(C) + 1"),
        ],
    ),
    (
        r"\textbf{(C)}\ 15",
        ["C", "(C)", r"\text{C}", "15", r"\text{(C) } 15", r"\textbf{(C)}\ 15"],
        ["D", "16", r"\text{(C) } 16", r"\text{(B) } 15"],
    ),
    (r"\textbf{(C)}\ \frac{1}{2}", ["0.5", r"\textbf{C. } 0.5"], [r"\textbf{C. } 0.6", r"\textbf{D. } 0.5"]),
    (r"\text{(C)}", [r"\textbf{(C)}\ 15", "C", "c"], [r"\textbf{(D)}\ 15", "D"]),
    ("15", [r"\textbf{(C)}\ 15", "C. 15"], ["C", r"\textbf{(C)}\ 16", r"\textbf{(C)}\ 15\ \textbf{(D)}\ 16"]),
    ("A : B = 2 : 3", [], ["A"]),
    ("x", ["(x)"], ["(x) 15"]),
]

FORMS: Rows = [
    (r"\sqrt{8}", [r"2\sqrt{2}"], []),
    (r"\sqrt{3+2\sqrt{2}}", [r"1+\sqrt{2}"], [r"1+\sqrt{3}"]),
    (r"\cos\frac{\pi}{5}", [r"\frac{1+\sqrt5}{4}"], [r"\frac{1-\sqrt5}{4}"]),
    ("x^2 - 1", ["(x-1)(x+1)"], ["(x-1)^2"]),
    (r"\frac{x^2-1}{x-1}", ["x+1"], ["x-1"]),
    ("1", [r"\sin^2 x + \cos^2 x"], [r"\sin x + \cos x"]),
    (r"\int_0^1 x^2 dx", [r"\frac13"], [r"\frac12"]),
    (r"1 \pm \sqrt{19}", [r"1-\sqrt{19}, 1+\sqrt{19}"], []),
    ("(1,2)", [r"\left(1, 2\right)"], ["(2,1)"]),
    (r"x \in [-2,7]", ["[-2,7]"], []),
    (r"k \geqslant 2", [r"[2,\infty)"], []),
    ("5", ["x=5"], ["5, 6", r"5 \text{ or } 6", r"5 \text{ or six}", "x=1, x=5", "5x", "5!", r"\frac{0}{0}", ""]),
    ("5", [], [r"5\mathrm{i}"]),
    ("2", [], ["2t"]),
    ("x=5", ["5"], ["y=5"]),
    ("y = 2x + 3", ["2x + 3", "y-3=2x"], ["0=0"]),
    (r"50\%", ["0.5"], []),
    (r"\frac{100!}{2^{50}}", [r"\frac{100!}{4^{25}}"], []),
    ("52_8", ["52"], ["52_9"]),
    ("4210_{5}", ["4210_5"], []),
    (r"\text{Evelyn}", ["evelyn"], ["Eveyln"]),
    (
        r"\begin{pmatrix} -1/3 \\ 2/3 \end{pmatrix}",
        [r"\begin{pmatrix} -\frac13 \\ \frac23 \end{pmatrix}"],
        [r"\begin{pmatrix} -\frac13 & \frac23 \end{pmatrix}"],
    ),
    ("6m", ["6 m"], ["6"]),
    ("6.022e23", [r"6.022 \times 10^{23}"], []),
    ("11", ["2 + 9 = 11"], []),
    ("-2, 1", [r"1,\,-2"], []),
    (
        r"\frac{1 \pm \sqrt{5}}{2}",
        [r"\frac{1-\sqrt5}{2}, \frac{1+\sqrt5}{2}"],
        [r"\frac{1+\sqrt5}{2}", r"\frac{1 \pm \sqrt{3}}{2}"],
    ),
    (r"x = \frac{1 \pm \sqrt{5}}{2}", [r"\frac12 \pm \frac{\sqrt5}{2}"], []),
    (r"\frac12+\frac{\sqrt5}2, \frac12-\frac{\sqrt5}2", [r"x = \frac{1 \pm \sqrt5}{2}"], []),
    (r"\sqrt{2}, -\sqrt{2}, 2\sqrt{2}, -2\sqrt{2}", [r"\pm\frac{3\sqrt2 \pm \sqrt2}{2}"], []),
    ("[-2,7]", [r"-2 \le x \le 7"], ["(-2,7)"]),
    ("(-2,2)", [], ["x^2 < 4"]),
    (r"(-\infty, 3)", ["3 > x"], ["2x < x+3", r"x \le 3"]),
    ("x=3", ["3 = x"], ["x+2=2x-1"]),
    ("x=0", [], ["2x=x"]),
    ("x < 3", ["3 > x"], ["x+1 < 4"]),
    ("39", [], ["39 million"]),
    (r"\infty", [r"2\infty"], ["0", r"-\infty"]),
    ("2", [], ["2:00 pm"]),
    ("N=n", [], ["0=0", "1=2"]),
    ("x^2+1", [], [r"\text{anything}"]),
    ("1", ["2x+z=1"], []),  # an equation is taken for its last side as an answer, and as the gold it is not
    ("2x+z=1", [], ["1"]),
]

KINDS = {
    "small numbers": SMALL,
    "small numbers in pairs, intervals, sets, matrices, relations": SMALL_INSIDE,
    "decimals": ROUNDED,
    "percentages": PERCENT,
    "fonts and emphasis": FONTS,
    "units and scripts": UNITS,
    "characters": UNICODE,
    "constants in roman type": CONSTANTS,
    "choices": CHOICES,
    "forms": FORMS,
}


@pytest.fixture(scope="module")
def grader() -> Iterator[Grader]:
    grader = Grader(1, 2.0, 1 << 30)
    yield grader
    grader.pool.close()


@pytest.mark.parametrize("kind", KINDS)
def test_right_answers_are_taken_and_near_misses_are_not(grader: Grader, kind: str):
    rows = [(gold, answer, score) for gold, *sides in KINDS[kind] for score in (1, 0) for answer in sides[1 - score]]
    grades = grader.grade([rf"\boxed{{{answer}}}" for _, answer, _ in rows], [gold for gold, _, _ in rows])
    mistakes = [(*row, grade.how) for row, grade in zip(rows, grades, strict=True) if grade.score != row[2]]
    assert mistakes == []


def test_a_choice_and_its_value_do_not_share_what_is_remembered(grader: Grader):
    golds = [r"\textbf{(C)}\ 15", "15", r"\textbf{(D)}\ 15"] * 2
    assert [grade.score for grade in grader.grade([r"\boxed{C}"] * 6, golds)] == [1.0, 0.0, 0.0] * 2
