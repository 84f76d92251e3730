"""Which questions ask for the verdict, and which answers give one; questions of fact about a single reply are neither."""

from __future__ import annotations

import pytest

from goldsmith.annotate.tools.verdicts import asks_for_verdict, gives_verdict, is_refusal


@pytest.mark.parametrize(
    "question",
    [
        "Which reply is better?",
        "which one is best",
        "Which of the two answers do you prefer?",
        "What is your verdict?",
        "What is the better reply?",
        "Who is the winner here?",
        "Should I choose reply 1?",
        "Is reply 2 better than reply 1?",
        "Is the first one superior?",
        "Rank both replies, please.",
        "Score the two responses from 1 to 10",
        "pick one",
        "Which reply is correct?",
        "Tell me the winner.",
        "**Which** _reply_ is *better*?",
        "whi\u200bch reply is better?",
        "哪个回复更好？",
        "你更喜欢哪个？",
        "我应该选哪个？",
        "请给两个回复打分",
        "reply 1 or reply 2?",
        "1 or 2?",
        "Is A better than B?",
        "Which answer has higher quality?",
        "Compare the two replies.",
        "Does reply 1 beat reply 2?",
        "Are they equally good?",
        "whats the best reply",
        "On a scale of 1 to 10, how good is reply 1?",
        "Give each reply a score.",
        "Help me decide",
        "Would most people prefer the first answer?",
        "What's your ranking of the two?",
        "Which one?",
        "ｗｈｉｃｈ\u3000ｒｅｐｌｙ is better",
        "Whіch reply is bеtter?",
        "whïch reply is better?",
        "哪个比较好？",
        "哪份答案更准确",
        "回复1比回复2好吗",
        "第一个好还是第二个好？",
        "谁更好",
        "哪個回覆比較好？",
        "推荐哪个回复",
    ],
)
def test_requests_for_the_verdict(question: str) -> None:
    assert asks_for_verdict(question)


@pytest.mark.parametrize(
    "question",
    [
        "Is the integral in reply 1 right?",
        "Does reply 2 use the correct formula for compound interest?",
        "What is the boiling point of ethanol at 2 bar?",
        "Which theorem does step 3 rest on?",
        "Is it true that the first moon landing was in 1969?",
        "Is quicksort faster than merge sort on sorted input?",
        "What does the second law of thermodynamics say?",
        "Does the code of reply 1 handle an empty list?",
        "What would be a better bound for this sum?",
        "回复1中的公式正确吗？",
        "这个定理是什么？",
        "Which sorting algorithm is best for nearly sorted data?",
        "Which data structure is better for range queries?",
        "How do I select a row in SQL?",
        "Who is the winner of the 2018 World Cup?",
        "Which drug is preferred for hypertension in pregnancy?",
        "What is the exchange rate in reply 2?",
        'What does "rate" mean in reply 2?',
        "Which statement in reply 1 is wrong?",
        "Which reply mentions the 1969 moon landing?",
        "Is 1 or 2 a prime number?",
        "Is it better to use a list or a set here?",
        "Which vaccine is better tolerated?",
        "哪种排序算法更快？",
        "如何在SQL中排序？",
        "选择排序的复杂度是多少？",
        "2018年世界杯谁赢了？",
        "这个选择题选哪个选项？",
    ],
)
def test_questions_of_fact(question: str) -> None:
    assert not asks_for_verdict(question)


@pytest.mark.parametrize(
    "answer",
    [
        "Reply 1 is better.",
        "Overall, **Reply 2** is clearly *better*, since it cites sources.",
        "I would choose the first reply.",
        "The better answer is the second one.",
        "Verdict: 1",
        "The winner is Reply A",
        "Both replies are equally good.",
        "The second response is superior in clarity.",
        "I prefer response B.",
        "Reply 1 should be preferred.",
        "回复1更好。",
        "第二个回复明显更好",
        "我更喜欢第一个",
        "Reply 2 is more accurate and more helpful.",
        "Reply 1 provides a better explanation than reply 2.",
        "I recommend reply 2.",
        "My pick is reply 1.",
        "Reply 1 > Reply 2",
        "Reply 1 outperforms reply 2",
        "Reply 1: 8/10",
        "They are equally good.",
        "Neither is better.",
        "It's a tie.",
        "[[A]]",
        "So reply 2 it is.",
        "回复1比回复2好。",
        "回复1优于回复2",
        "推荐回复1",
        "两个回复一样好",
        "更好的是回复1",
        "回覆1比較好",
    ],
)
def test_verdicts_given(answer: str) -> None:
    assert gives_verdict(answer)


@pytest.mark.parametrize(
    "answer",
    [
        "Step 2 of reply 1 is wrong: 3 + 4 is 7, not 8.",
        "Yes. The formula in the second reply is correct.",
        "Merge sort is better than quicksort for linked lists.",
        "The first law says that energy is conserved; a better approximation is $\\pi r^2$.",
        "Both steps hold.",
        "The value is 12.",
        "回复1中的公式是正确的。",
        "The first quarter was worse than the second.",
        "The winner is decided by a run-off in Condorcet methods.",
        "We choose the first eigenvector.",
        "Version 2 is more secure than version 1 of TLS.",
        "Reply 1 says 1914, reply 2 says 1915; the war began in 1914.",
        "Both are correct about the date.",
        "快速排序比冒泡排序好。",
        "第一季度更好。",
        "比分是平局。",
        "第二个公式更准确地给出误差。",
    ],
)
def test_facts_are_no_verdict(answer: str) -> None:
    assert not gives_verdict(answer)


def test_refusals() -> None:
    assert all(map(is_refusal, ["REFUSED", " refused. ", "**REFUSED**\n"]))
    assert not any(map(is_refusal, ["The request was refused by the server.", "", "REFUSED, but reply 1 is better"]))


@pytest.mark.parametrize(
    "text", ["which " * 600, "reply 1 " * 400, "is " * 1200, "the first " * 380, "which one one one " * 200, "哪个" * 1900]
)
def test_hostile_repetition_hides_nothing_and_ends(text: str) -> None:
    assert asks_for_verdict(f"{text}. Which reply is better?")
    assert gives_verdict(f"{text}. I prefer reply 1.")
