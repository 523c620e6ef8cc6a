"""What of a prompt is somebody's own words: no code, no quotations, no addresses, no figures.

    prompt -> its beginning -> without fences, tags, addresses, quotations -> lines that are no code -> words

Owns what the language detector gets to read, and how much of it. Pure; never
says what language it is. A question about a program has more English in its
code than words of its own, so the code goes first.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Bounds the work for a long prompt: `python -m tests.language` shows what a call costs at most.
READ_CHARS = 8000
# More words than these do not change what they are taken for.
KEPT_CHARS = 1000

_NO_PROSE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*`|\bhttps?://\S+|<[^<>\n]{1,200}>", re.DOTALL)
_QUOTED = re.compile(r'"[^"\n]*"|“[^“”\n]*”|«[^«»\n]*»|„[^„“\n]*“')
# Punctuation, figures and signs, but for the apostrophe and the hyphen, which words have. No `\w`: the vowel
# signs of Hindi and others are none. Half a character (a lone surrogate) is none that the library could take.
_NO_WORD = re.compile(
    r"[!-&(-,.-@\[-`{-~\xa1-\xbf\u2000-\u2018\u201a-\u206f\u2190-\u2bff\u3000-\u303f"
    r"\ud800-\udfff\ufe00-\ufe0f\U0001f000-\U0001faff]"
)
# How a line of code begins, in the languages that prompts are full of.
_CODE = re.compile(
    r"""import\ [\w.]+(?:,\ ?[\w.]+)*(?:\ as\ \w+)?;?$
    | from\ [\w.]+\ import\b
    | (?:async\ )?(?:def|fn|func|function)\ \w*\(
    | class\ \w+\ ?(?:[({]|:$)
    | (?:const|let|var)\ \w+\ ?[=:;]
    | (?:public|private|protected|static|package|using)\b.*[;{(]
    | return\ [\w.]+(?:$|\ ?[-+*/(\[.;])
    | for\ \w+(?:,\ ?\w+)*\ in\ [\w.]+[(\[:]
    | (?:SELECT|INSERT|UPDATE|DELETE|CREATE|ALTER|DROP)\b.*\b(?:FROM|INTO|SET|TABLE|WHERE)\b
    | [\w.\[\]]+\ ?[-+*/]?=[^=]
    | [\w.]+\(.*\);?$
    | \#include\b | \#!/ | \$[ ] | >>>[ ]
    """,
    re.VERBOSE,
)
_OPERATOR = re.compile(r"[=!]=|\) ?[-=]>|::|&&|\|\||\w\(\)|\+\+|\) ?[;{]|[{}]$")
# Three plain words in a row are somebody's sentence, whatever else the line has.
_SENTENCE = re.compile(r"[^\W\d_]+ [^\W\d_]+ [^\W\d_]+")


def words_of(prompt: str) -> str:
    """Give the words at the beginning of a prompt, in small letters, single blanks between; may be empty.

    At most `READ_CHARS` of the prompt are read, at most `KEPT_CHARS` given. What is quoted counts only
    where there is nothing else.
    """
    text = unicodedata.normalize("NFC", _NO_PROSE.sub(" ", prompt[:READ_CHARS]))
    return _words(_QUOTED.sub(" ", text)) or _words(text)


def _words(text: str) -> str:
    kept = " ".join(_prose_lines(text))[:KEPT_CHARS]
    # In small letters: the detector's model has seen few capitals, and takes them for names.
    words = _NO_WORD.sub(" ", kept).lower().split()
    # Single letters are variables, and say nothing of a language.
    return " ".join(words) if any(len(word) > 1 for word in words) else ""


def _prose_lines(text: str) -> Iterator[str]:
    kept = 0
    for raw in text.splitlines():
        line = " ".join(raw.split())
        if not line or _is_code(line):
            continue
        yield line
        kept += len(line) + 1
        if kept > KEPT_CHARS:
            return


def _is_code(line: str) -> bool:
    return bool(_CODE.match(line)) or bool(_OPERATOR.search(line) and not _SENTENCE.search(line))
