"""Each rule drops what it is for, and keeps what the released patterns drop by mistake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isheep.errors import RecipeError
from isheep.text.rules import (
    ALL_INSTRUCTION_RULES,
    ALL_RESPONSE_RULES,
    INSTRUCTION_RULES,
    RESPONSE_RULES,
    instruction_reason,
    response_reason,
)

ANY_TEXT = st.text(st.characters())


def dropped_task(
    instruction: str, input: str = "", rules: tuple[str, ...] = tuple(INSTRUCTION_RULES)
) -> str | None:
    return instruction_reason(instruction, input, rules, 4, 150)


def dropped_answer(
    response: str, instruction: str = "Tell me about tea.", input: str = "", finish: str = "stop"
) -> str | None:
    return response_reason(instruction, input, response, finish, tuple(RESPONSE_RULES))


# ---------------------------------------------------------------- instructions


@pytest.mark.parametrize(
    ("instruction", "input", "reason"),
    [
        ("Write a poem", "", "length"),
        ("word " * 151, "", "length"),
        ("- Write a poem about rain", "", "leading_symbol"),
        ("* Write a poem about rain", "", "leading_symbol"),
        (": Write a poem about rain", "", "leading_symbol"),
        ("<p>Write a poem about rain", "", "leading_symbol"),
        ("\ufffd\ufffdWrite a poem about rain", "", "leading_symbol"),
        ("\u0301 Write a poem about rain", "", "leading_symbol"),
        ("。写一首关于春天的诗", "", "leading_symbol"),
        ("😀 Write a poem about rain", "", "leading_symbol"),
        ("7. Write a poem about rain", "", "list_marker"),
        ("7) Write a poem about rain", "", "list_marker"),
        ("Task: Write a poem about rain", "", "list_marker"),
        ("Write a poem about rain\nInput: heavy rain", "", "list_marker"),
        ("Write a poem about rain. Input: heavy rain", "", "list_marker"),
        ("Write a poem about rain\nOutput: Drip drop", "", "list_marker"),
        ("Add the two numbers up", "1 and 2\nOutput: 3", "list_marker"),
        ("Add the two numbers up", "1 and 2\n8. Task: Say hello", "list_marker"),
        ("Write a poem about rain <noinput>", "", "noinput"),
        ("Write a poem about rain", "noinput", "noinput"),
        ("Write a poem about rain", "(no input)", "noinput"),
        ("Write a poem about rain\nNo input required.", "", "noinput"),
        ("Summarise the page at https://example.org/a", "", "link"),
        ("Summarise the page given below", "www.example.org", "link"),
        ("Draw a cat with a hat", "", "blacklist"),
        ("Describe the picture in words", "", "blacklist"),
        ("Plot the function x squared", "", "blacklist"),
        ("Make a plot of the first ten values", "", "blacklist"),
        ("Go to the website and sign up", "", "blacklist"),
        ("First open it, then go to the settings page", "", "blacklist"),
        ("Make a diagram of the process", "", "blacklist"),
        ("Create flowcharts for these steps", "", "blacklist"),
        ("Open the file and count lines", "", "blacklist"),
        ("Compose some music for a wedding", "", "blacklist"),
        ("Find the treasure on the MAP", "", "blacklist"),
        ("Say what you see in it", "<image of a dog>", "blacklist"),
        ("Say what you see in it", "holiday_01.jpg", "blacklist"),
    ],
)
def test_tasks_that_are_dropped(instruction: str, input: str, reason: str) -> None:
    assert dropped_task(instruction, input) == reason
    others = tuple(name for name in INSTRUCTION_RULES if name != reason)
    assert dropped_task(instruction, input, others) is None, "only the named rule drops it"


@pytest.mark.parametrize(
    ("instruction", "input"),
    [
        # what the released patterns drop by mistake, and its relatives
        ("Name some fruits, e.g. apples and pears.", ""),
        ("Who was president of the U.S.A. in 1950?", ""),
        ("Answer part (a) of the question.", "(a) What is 2 + 2? (b) What is 3 + 3?"),
        ("Explain what the tag does.", "<b>bold</b>"),
        ("Write an HTML form with <form> and <input> tags.", ""),
        ("Explain what a mapping is in mathematics.", ""),
        ("Write a sentence with the word nonetheless.", ""),
        ("Explain why none of these are prime.", "4, 6, 8"),
        ("Write a function that takes no input and returns 5.", ""),
        # whole words only
        ("What does photographic memory mean?", ""),
        ("Write a paragraph about drawing skills in geography.", ""),
        ("Give a short profile of a musician.", ""),
        ("Explain what imagery is in poetry.", ""),
        ("Correct the spelling of: filed mapped plotting", ""),
        # turns of speech
        ("Draw a conclusion from the facts below.", "It rains. The ground is wet."),
        ("Draw an interesting comparison between tea and coffee.", ""),
        ("Summarise the plot of the famous novel Emma.", ""),
        ("Suggest a plot twist for a crime story.", ""),
        ('Write a summary of the plot of "The Great Gatsby".', ""),
        ("Write a plot for a story about twins.", ""),
        ("Explain how to file a formal complaint.", ""),
        ("Explain graph theory to a child.", ""),
        ("How does social media change our self-image?", ""),
        ("Why do people go to the dentist?", ""),
        ("What should I bring when we go to the beach?", ""),
        ("Pick the category: Sports, Music, Politics.", "The band won a prize."),
        ("Which type of music comes from Jamaica?", ""),
        ("Are video games good for children?", ""),
        # the input is text that speaks of such things
        ("Is this review positive or negative?", "The video was great, but the music was too loud."),
        # beginnings
        ('"To be or not to be": who wrote this?', ""),
        ("“Carpe diem” means what in English?", ""),
        ("¿Cuál es la capital de Francia?", ""),
        ("$5 is what part of $20?", ""),
        ("3 apples cost 6 euros: what do 5 cost?", ""),
        ("17.5 km are how many miles?", ""),
        # other scripts
        ("Напиши короткое стихотворение о море.", ""),
        ("写一首关于春天的诗。", ""),
        ("춘천에 대해 짧은 시를 써 줘.", ""),
        ("اكتب قصة قصيرة عن البحر.", ""),
        ("เขียนบทกวีสั้น ๆ เกี่ยวกับทะเล", ""),
        ("समुद्र पर एक छोटी कविता लिखो।", ""),
        ("Élargis cette phrase en un paragraphe.", ""),
        # labels that are prose
        ("Given the input: 5, what is its double?", ""),
        ("Explain what a task is in Python asyncio.", ""),
        # inputs with labels of their own
        ("Make a plan to complete it.", "Task: a birthday party"),
        ("Find the pairs with that sum.", "Input: [2, 4, 3], target = 5"),
        ("How would you change the code?", "Code: print(1)\nTask: print 2"),
    ],
)
def test_tasks_that_must_not_be_dropped(instruction: str, input: str) -> None:
    assert dropped_task(instruction, input) is None


@pytest.mark.parametrize(("words", "reason"), [(2, "length"), (3, None), (6, None), (7, "length")])
def test_the_limits_of_length_are_settings(words: int, reason: str | None) -> None:
    assert instruction_reason("word " * words, "", ["length"], 3, 6) == reason


# ---------------------------------------------------------------- responses


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        ("", "empty"),
        (" \n ", "empty"),
        ("Tea is a drink.\nUser: And coffee?", "second_speaker"),
        ("Tea is a drink.\n\nHuman: And coffee?\n\nAssistant: Also one.", "second_speaker"),
        ("Tea is a drink.\nQuestion: What is coffee?", "second_speaker"),
        ("Tea is a drink.\nQ: What is coffee?", "second_speaker"),
        ("Tea is a drink.\n**User**: And coffee?", "second_speaker"),
        ("Tea is a drink.\n### Human: And coffee?", "second_speaker"),
        ("Assistant: Tea is a drink.", "second_speaker"),
        ("Tea is a drink.\nuser\nAnd coffee?", "second_speaker"),
        ("Tea is a drink.<|im_end|>", "second_speaker"),
        ("A. It is a drink.\nB. It is a plant.", "answer_choices"),
        ("(A) a drink\n(B) a plant\n(C) both", "answer_choices"),
        ("Answer choices: a drink, a plant", "answer_choices"),
        ("Tell me about tea.", "repeats_question"),
        ("tell me about TEA", "repeats_question"),
        ("What about coffee?", "asks_back"),
        ("What kind of tea?\nGreen or black?", "asks_back"),
        ("Tea is a drink.\n\nCan you tell me about coffee?", "asks_back"),
        ("Tea is 一种饮料 that people drink.", "cjk"),
        ("Tea is a drink. おいしい", "cjk"),
        ("<noinput>", "noinput"),
    ],
)
def test_answers_that_are_dropped(response: str, reason: str) -> None:
    assert dropped_answer(response) == reason


@pytest.mark.parametrize(
    ("response", "instruction", "input"),
    [
        # what the released patterns drop by mistake
        ("Drinks, e.g. tea, i.e. leaves in water.", "Tell me about tea.", ""),
        ("The U.S.A. drinks less tea. Plan B. is coffee.", "Tell me about tea.", ""),
        ("(a) boil water, (b) add tea.", "How do I make tea?", ""),
        ("a. boil water\nb. add tea", "How do I make tea?", ""),
        ("<p>Tea</p>", "Put the word in a paragraph tag.", "Tea"),
        ("A mapping of leaves to cups, nonetheless.", "Tell me about tea.", ""),
        ("Nonetheless, none of them has tea.", "Tell me about tea.", ""),
        ("There is no input in this program.", "Tell me about the program.", ""),
        ("Do you know it? It is a drink made of leaves.", "Tell me about tea.", ""),
        ("Tea is a drink.\n\nWhat is it made of? Of leaves.", "Tell me about tea.", ""),
        # labels that answer the task
        ("User: Hi!\nAssistant: Hello!", "Write a dialogue between a user and a bot.", ""),
        ("System: Linux\nMemory: 8 GB", "List the properties of my operating system.", ""),
        ("Question: What is tea?\nAnswer: A drink.", "Write a question about tea with its answer.", ""),
        ("Question: What is tea?", "Turn the sentence into a question.", "Tea is a drink."),
        ("Assistant: Sure! Which subject?", "Generate a reply.", "User: Can you help me?"),
        ("Input: 3\nOutput: 9", "Show an example run of a program that squares.", ""),
        ("The systems: one and two.\nHumans like them.", "Tell me about tea.", ""),
        ("human", "Is Frodo a human or a hobbit?", ""),
        # choices that were asked for
        ("A. a drink\nB. a plant", "Write a multiple-choice question about tea.", ""),
        ("A. a drink", "What is tea?\nA. a drink\nB. a plant", ""),
        ("A. Introduction\nB. Body", "Write an outline of an essay.", ""),
        # questions that were asked for
        ("How are you?", "Translate into English.", "Wie geht es dir"),
        ("What is tea made of?", "Ask me something about tea.", ""),
        ("Could you pass the tea, please?", "Reword the text more politely.", "Pass the tea."),
        ("5 x 4 = ?", "Give a simple problem for a pupil.", ""),
        ("Tea: friend or foe?", "Suggest a title for an article on tea.", ""),
        ("Where is it?", "Which of the two is polite?", "Where is it? Tell me where it is!"),
        # Chinese, Japanese, Korean that belongs there
        ("茶是一种饮料", "告诉我关于茶的事", ""),
        ("It is 谢谢.", "How do you say thanks in Chinese?", ""),
        ("谢谢", "Translate the word.", "thanks"),
        ("The sign 道 means way.", "Tell me about Taoism.", ""),
        # repeats
        ("Tea", "Tell me about tea.", ""),
        ("He goes home.", "Correct the grammar.", "He goes home."),
        # the input is no more than a word of the instruction
        ("8", "Add 5 to the number.", "5"),
    ],
)
def test_answers_that_must_not_be_dropped(response: str, instruction: str, input: str) -> None:
    assert dropped_answer(response, instruction, input) is None


def test_a_repeat_of_instruction_and_input() -> None:
    assert dropped_answer("Name the capital. France", "Name the capital.", "France") == "repeats_question"


def test_an_unfinished_answer_has_its_own_rule() -> None:
    assert dropped_answer("Tea is a", finish="length") == "unfinished"
    assert response_reason("Tell me.", "", "Tea is a", "length", ["empty"]) is None


@pytest.mark.parametrize(
    ("instruction", "input", "reason"),
    [
        ("Translate 'good morning' into French.", "Good morning", "input_repeated"),
        ("Sort the numbers 3, 1, 2 please.", "3 1 2", "input_repeated"),
        ("Translate the greeting into French.", "Good morning", None),
        ("Is it category or dog?", "a cat", None),
    ],
)
def test_an_input_that_stands_in_the_instruction(instruction: str, input: str, reason: str | None) -> None:
    assert dropped_answer("Bonjour", instruction, input) == reason


# ---------------------------------------------------------------- both


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT, st.sampled_from(["stop", "length"]))
def test_rules_never_raise_and_reasons_are_names(
    instruction: str, input: str, response: str, finish: str
) -> None:
    for name in ALL_INSTRUCTION_RULES:
        assert instruction_reason(instruction, input, [name]) in {None, name}
    for name in ALL_RESPONSE_RULES:
        assert response_reason(instruction, input, response, finish, [name]) in {None, name}


@given(ANY_TEXT, ANY_TEXT, ANY_TEXT)
def test_without_rules_everything_is_kept(instruction: str, input: str, response: str) -> None:
    assert instruction_reason(instruction, input, ()) is None
    assert response_reason(instruction, input, response, "length", ()) is None


def test_the_registries_are_named_and_explained() -> None:
    for rules in (ALL_INSTRUCTION_RULES, ALL_RESPONSE_RULES):
        for name, rule in rules.items():
            assert rule.name == name
            assert rule.why


def test_a_rule_gives_its_name_or_none() -> None:
    from isheep.text.rules import ResponseSubject

    rule = RESPONSE_RULES["empty"]
    assert rule(ResponseSubject("Say hello.", "", "", "stop")) == "empty"
    assert rule(ResponseSubject("Say hello.", "", "Hello", "stop")) is None


def test_an_unknown_rule_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(RecipeError, match="blacklst") as caught:
        instruction_reason("Write a poem about rain", "", ["blacklst"])
    assert "blacklist" in caught.value.hint
    with pytest.raises(RecipeError):
        response_reason("Tell me.", "", "Tea", "stop", ["blacklist"])
