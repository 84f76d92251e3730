from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from goldsmith.errors import DataError, UserError
from goldsmith.reward.render import Renderer, common_prefix

CONTEXT = [{"role": "user", "content": "2+2?"}]
TURNS = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "2+2?"}]


@pytest.fixture
def tokenizer(tiny: Path):
    return AutoTokenizer.from_pretrained(str(tiny))


@pytest.mark.parametrize("context", [CONTEXT, TURNS, [{"role": "system", "content": "Be kind."}, *CONTEXT]])
def test_ids_equal_the_chat_template(tokenizer, context):
    item = Renderer(tokenizer).render(context, "4 <b>é</b> 漢")
    whole = [*context, {"role": "assistant", "content": "4 <b>é</b> 漢"}]
    assert list(item.ids) == tokenizer.apply_chat_template(whole, tokenize=True, return_dict=False)
    assert tokenizer.decode(item.ids[item.reply_start :]) == "4 <b>é</b> 漢<|im_end|>\n"
    assert item.cut == 0


def test_no_second_bos_where_the_tokenizer_would_add_one(tiny, tmp_path):
    # Tokenizers of the Llama family put BOS before every text; the template already holds it.
    folder = shutil.copytree(tiny, tmp_path / "bos")
    raw = json.loads((folder / "tokenizer.json").read_text())
    raw["post_processor"] = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {"<|im_start|>": {"id": "<|im_start|>", "ids": [1], "tokens": ["<|im_start|>"]}},
    }
    (folder / "tokenizer.json").write_text(json.dumps(raw))
    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    assert tokenizer("x")["input_ids"][0] == 1  # it does add one to plain text
    ids = Renderer(tokenizer).render(CONTEXT, "4").ids
    assert ids[0] == 1
    assert ids[1] != 1


def test_a_template_with_two_bos_is_refused(tokenizer):
    tokenizer.chat_template = "{{ bos_token }}" + tokenizer.chat_template
    with pytest.raises(UserError, match="two BOS"):
        Renderer(tokenizer)


@pytest.mark.parametrize(("shown", "lost"), [("user", "reply"), ("assistant", "question")], ids=["no replies", "no questions"])
def test_a_template_that_leaves_a_text_out_is_refused(tokenizer, shown, lost):
    tokenizer.chat_template = (
        "{% for turn in messages %}{{ turn['role'] }}{% if turn['role'] == '"
        + shown
        + "' %}{{ turn['content'] }}{% endif %}{% endfor %}"
    )
    with pytest.raises(UserError, match=f"leaves out the text of the {lost}, so every {lost} would score the same"):
        Renderer(tokenizer)


def test_a_template_that_writes_lists_of_parts_alone_is_refused(tokenizer):
    tokenizer.chat_template = (
        "{% for turn in messages %}{{ turn['role'] }}{% for part in turn['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}"
        "{% endif %}{% endfor %}{% endfor %}"
    )
    with pytest.raises(UserError, match=r"leaves out the text of the question.*chat_template\.jinja"):
        Renderer(tokenizer)


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{% for x in %}", "Expected an expression"),
        ("{{ raise_exception('needs a system turn') }}", "needs a system turn"),
        ("{{ lost() }}", "'lost' is undefined"),
    ],
)
def test_a_template_that_fails_is_refused_when_it_is_loaded(tokenizer, template, told):
    tokenizer.chat_template = template
    with pytest.raises(UserError, match=rf"broken, or not made for a question and its reply \({told}.*chat_template\.jinja"):
        Renderer(tokenizer)


def test_a_template_for_one_question_and_reply_is_enough(tokenizer):
    tokenizer.chat_template = "{% if messages|length > 2 %}{{ raise_exception('one') }}{% endif %}" + tokenizer.chat_template
    renderer = Renderer(tokenizer)
    assert tokenizer.decode(renderer.render(CONTEXT, "4").ids).endswith("4<|im_end|>\n")
    with pytest.raises(DataError, match="refuses it: one; change its turns to what the template knows, or drop the row"):
        renderer.render(TURNS, "4")


def test_missing_template_names_the_remedy(tokenizer):
    tokenizer.chat_template = None
    with pytest.raises(UserError, match=r"no chat template.*chat_template\.jinja"):
        Renderer(tokenizer)


def test_missing_pad_names_a_candidate(tokenizer):
    tokenizer.pad_token = None
    with pytest.raises(UserError, match=r"no pad token; set another one, for example '<pad>'"):
        Renderer(tokenizer)


def test_a_pad_that_the_template_emits_is_refused(tokenizer):
    tokenizer.pad_token = "<|im_end|>"
    with pytest.raises(UserError, match=r"'<\|im_end\|>', which its chat template emits"):
        Renderer(tokenizer)
    assert Renderer(tokenizer, check_pad=False).pad_id == 2


def test_length_is_the_smaller_of_16384_and_the_models(tokenizer):
    assert Renderer(tokenizer, model_max_length=512).max_length == 512
    assert Renderer(tokenizer, model_max_length=40_000).max_length == 16_384
    assert Renderer(tokenizer, model_max_length=512, max_length=64).max_length == 64
    with pytest.raises(UserError, match="513 is above the 512"):
        Renderer(tokenizer, model_max_length=512, max_length=513)


def test_left_truncation_keeps_bos_and_the_end_and_is_counted(tokenizer):
    whole = Renderer(tokenizer).render(CONTEXT, "abcdef")
    renderer = Renderer(tokenizer, max_length=16)
    item = renderer.render(CONTEXT, "abcdef")
    assert item.ids == whole.ids[:1] + whole.ids[-15:]
    assert item.cut == len(whole.ids) - 16
    assert tokenizer.decode(item.ids[item.reply_start :]) == "abcdef<|im_end|>\n"
    assert (renderer.rendered, renderer.truncated) == (1, 1)


def test_right_truncation_keeps_the_beginning(tokenizer):
    whole = Renderer(tokenizer).render(CONTEXT, "abcdef")
    item = Renderer(tokenizer, max_length=16, truncation_side="right").render(CONTEXT, "abcdef")
    assert item.ids == whole.ids[:16]


def test_text_parts_are_read_and_others_refused_by_name(tokenizer):
    renderer = Renderer(tokenizer)
    parts = [{"role": "user", "content": [{"type": "text", "text": "2+2?"}]}]
    assert renderer.render(parts, "4").ids == renderer.render(CONTEXT, "4").ids
    with pytest.raises(DataError, match="pair 9f: holds a part of type 'image'"):
        renderer.render([{"role": "user", "content": [{"type": "image", "url": "x"}]}], "4", where="pair 9f")


def test_what_the_template_inserts_is_named(tokenizer):
    tokenizer.chat_template = "{{ 'You are Tiny.' }}" + tokenizer.chat_template
    assert Renderer(tokenizer).inserted == "You are Tiny.<|im_start|>user\n"


def test_common_prefix():
    assert common_prefix([(1, 2, 3), (1, 2, 4, 5), (1, 2, 3, 9)]) == 2
    assert common_prefix([(1, 2), (1, 2, 3)]) == 2
    assert common_prefix([]) == 0


def test_a_text_that_puts_a_second_bos_is_refused(tokenizer):
    tokenizer.chat_template = "{{ bos_token }}{% for message in messages %}{{ message['content'] }}<|im_end|>{% endfor %}"
    renderer = Renderer(tokenizer)
    assert renderer.render(CONTEXT, "4").ids[0] == 1
    with pytest.raises(DataError, match="pair 9f: begins with two BOS tokens, as its text holds"):
        renderer.render([{"role": "user", "content": "<|im_start|>2+2?"}], "4", where="pair 9f")


def test_two_turns_are_rendered_once_and_never_confused(tokenizer):
    renderer = Renderer(tokenizer)
    one, other = renderer.render(CONTEXT, "4"), renderer.render(TURNS, "4")
    assert renderer.render(CONTEXT, "4") == one
    assert tokenizer.decode(other.ids[other.reply_start :]) == "4<|im_end|>\n"


@pytest.mark.parametrize(
    ("context", "reply", "told"),
    [
        (CONTEXT, "", "the reply is empty"),
        (CONTEXT, " \n", "the reply is empty"),
        (CONTEXT, None, "is NoneType, neither text"),
        (CONTEXT, 4, "is int, neither text"),
        (CONTEXT, ["4"], "a part of type 'str'"),
        ([{"role": "user"}], "4", "is NoneType, neither text"),
        ([{"content": "hi"}], "4", "is no message with `role`"),
        (["hi"], "4", "is no message with `role`"),
        ([{"role": "user", "content": "lone \ud800"}], "4", r"holds '\\ud800', half of a character.*drop the row"),
    ],
)
def test_what_cannot_be_rendered_is_named(tokenizer, context, reply, told):
    with pytest.raises(DataError, match=f"row 7: .*{told}"):
        Renderer(tokenizer).render(context, reply, where="row 7")


def test_a_template_that_fails_names_the_row(tokenizer):
    tokenizer.chat_template += "{% if messages[0]['content'] == 'no' %}{{ raise_exception('never') }}{% endif %}"
    with pytest.raises(DataError, match="row 7: the chat template of the model refuses it: never"):
        Renderer(tokenizer).render([{"role": "user", "content": "no"}], "4", where="row 7")


def test_what_else_a_message_holds_reaches_the_template(tokenizer):
    tokenizer.chat_template = tokenizer.chat_template.replace(
        "message['content']", "message['content'] + (message.name or '')", 1
    )
    named = [{"role": "user", "content": "2+2?", "name": "Ann"}]
    expected = tokenizer.apply_chat_template([*named, {"role": "assistant", "content": "4"}], return_dict=False)
    assert list(Renderer(tokenizer).render(named, "4").ids) == expected
    assert "Ann" in tokenizer.decode(expected)


def test_the_card_tells_what_the_template_does_around_a_reply_and_that_it_writes_a_date(tokenizer):
    plain = Renderer(tokenizer)
    assert plain.example == "<|im_start|>user\n{user}<|im_end|>\n<|im_start|>assistant\n{reply}<|im_end|>\n"
    assert not plain.inserts_date
    tokenizer.chat_template = "{{ strftime_now('%d %b %Y') }}" + tokenizer.chat_template
    assert Renderer(tokenizer).inserts_date


def test_a_limit_that_leaves_nothing_is_refused(tokenizer):
    with pytest.raises(UserError, match="max_length 4 leaves nothing"):
        Renderer(tokenizer, max_length=4)


def test_a_reply_longer_than_the_limit_keeps_its_end(tokenizer):
    renderer = Renderer(tokenizer, max_length=16)
    item = renderer.render(CONTEXT, "x" * 40)
    assert tokenizer.decode(item.ids[1:]) == "x" * 13 + "<|im_end|>\n"
    assert item.reply_start == 1


def test_a_role_that_nobody_knows_is_refused_and_one_that_the_template_names_is_not(tokenizer):
    turns = [{"role": "ipython", "content": "4"}, {"role": "user", "content": "What is it?"}]
    with pytest.raises(
        DataError, match=r"a turn has the role 'ipython', which m does not know; use assistant, system, tool, user"
    ):
        Renderer(tokenizer, name="m").render(turns, "4")
    tokenizer.chat_template = "{% if messages[0].role == 'ipython' %}{% endif %}" + tokenizer.chat_template
    assert Renderer(tokenizer, name="m").render(turns, "4").ids
    # A word of the template that is no whole string is no role.
    with pytest.raises(DataError, match="'message'"):
        Renderer(tokenizer, name="m").render([{"role": "message", "content": "4"}, *turns[1:]], "4")
