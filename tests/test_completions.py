import numpy as np
import pytest

from dra_grpo.completions import completion_text, has_images, part, policy_text
from dra_grpo.errors import UsageError

PARTS = {
    "no tags": ("4", "4", "4"),
    "thought and answer": ("<think>2 + 2</think><answer>4</answer>", "2 + 2", "4"),
    "the template opened the thinking": ("2 + 2</think>It is 4", "2 + 2", "It is 4"),
    "thinking never ended": ("<think>2 + 2 is", "<think>2 + 2 is", ""),
    "two answers": ("<think>t</think><answer>5</answer>no, <answer>4</answer>", "t", "4"),
    "answer never closed": ("<think>t</think><answer>4", "t", "<answer>4"),
    "a second answer never closed": ("<answer>5</answer> or <answer>4", *["<answer>5</answer> or <answer>4"], "5"),
    "closing tag alone": ("</answer>4", "</answer>4", "</answer>4"),
    "thought twice": ("<think>a</think>b<think>c</think>d", "a</think>b<think>c", "d"),
    "empty parts": ("<think></think><answer></answer>", "", ""),
}


@pytest.mark.parametrize("text, think, answer", PARTS.values(), ids=PARTS.keys())
def test_parts(text, think, answer):
    assert [part(text, embed) for embed in ("completion", "think", "answer")] == [text, think, answer]


def assistant(content=None, **fields):
    return {"role": "assistant", "content": content, **fields}


def calling(name, arguments, id="1"):
    return [{"type": "function", "id": id, "function": {"name": name, "arguments": arguments}}]


TOOL = {"role": "tool", "name": "add", "content": "the tool says 42"}
# a chat -> all that the policy wrote, its thinking, its answer, what a reward grades
CHATS = {
    **{
        field: ([assistant("42", **{field: "6 * 7"})], "<think>6 * 7</think>42", "6 * 7", "42", "42")
        for field in ("reasoning_content", "thinking", "reasoning")
    },
    "cut while thinking": ([assistant(reasoning="6 * ")], "<think>6 * ", "<think>6 * ", "", ""),
    "parts": (
        [assistant([{"type": "thinking", "thinking": "6 * 7"}, {"type": "text", "text": "42"}])],
        "<think>6 * 7</think>42", "6 * 7", "42", "42",
    ),
    "a tool in between": (
        [assistant(thinking="ask", tool_calls=calling("add", {"b": 2, "a": "é"})), TOOL, assistant("42")],
        '<think>ask</think>add({"a": "é", "b": 2})\n42', "ask", "42", "42",
    ),
    "arguments as text": (
        [assistant(tool_calls=calling("add", '{"a":1}'))], 'add({"a":1})', 'add({"a":1})', 'add({"a":1})', "",
    ),
    "a tool at the end": ([assistant("I ask"), TOOL], "I ask", "I ask", "", ""),
    "a user in between": (
        [assistant("41"), {"role": "user", "content": "no"}, assistant("42")], "41\n42", "41\n42", "42", "42",
    ),
    "no message": ([], "", "", "", ""),
}  # fmt: skip


@pytest.mark.parametrize("chat, written, think, answer, graded", CHATS.values(), ids=CHATS.keys())
def test_chats(chat, written, think, answer, graded):
    assert policy_text(chat) == part(chat) == written
    assert (part(chat, "think"), part(chat, "answer")) == (think, answer)
    assert completion_text(chat) == graded


def test_ids_and_the_order_of_arguments_make_no_difference():
    one = [assistant(tool_calls=calling("add", {"a": 1, "b": 2}, id="x"))]
    assert policy_text(one) == policy_text([assistant(tool_calls=calling("add", {"b": 2, "a": 1}, id="y"))])


@pytest.mark.parametrize("function", [policy_text, completion_text, part])
@pytest.mark.parametrize("completion", [None, 42, ["42"], {"content": "42"}], ids=str)
def test_what_is_no_completion_is_refused(function, completion):
    with pytest.raises(UsageError, match=r"a completion is a .*; expected a string or a list of chat messages"):
        function(completion)


@pytest.mark.parametrize(
    "found, row",
    [
        (True, {"prompt": "?", "image": np.zeros((2, 2, 3))}),
        (True, {"prompt": "?", "images": ["a.png"]}),
        (True, {"prompt": [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "?"}]}]}),
        (True, {"prompt": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "a"}}]}]}),
        (True, [{"role": "tool", "content": [{"image": "a.png"}]}]),
        (False, {"prompt": "?", "image": None, "images": []}),
        (False, {"prompt": [{"role": "user", "content": [{"type": "text", "text": "an image", "image": None}]}]}),
        (False, {"prompt": [{"role": "user", "content": "type: image"}]}),
        (False, {"prompt": "?", "image_name": "a.png"}),
    ],
)
def test_images(found, row):
    assert has_images([{"prompt": "no"}, row]) == found
    assert not has_images([])
