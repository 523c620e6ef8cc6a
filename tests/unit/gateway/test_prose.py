"""What the language detector gets to read: somebody's own words, and not too many of them."""

from __future__ import annotations

import pytest

from ia0_daemon.gateway import prose
from ia0_daemon.gateway.prose import words_of


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Olá, tudo BEM?", "olá tudo bem"),
        ("O que faz isto?\n```\nlet a = 1\n```\nObrigado", "o que faz isto obrigado"),
        ("O que faz isto?\n```\nlet a = 1\nfunction f() {", "o que faz isto"),
        ("Corrija:\nimport os\nfor x in range(3):\n    print(x)", "corrija"),
        ("<texto>Bom dia</texto>", "bom dia"),
        ("Leia https://example.com/a e resuma", "leia e resuma"),
        ("Traduza “good morning, everybody”", "traduza"),
        ("l'été, guarda-chuva", "l'été guarda-chuva"),
        ("हिन्दी में बताओ", "हिन्दी में बताओ"),
        ("请用三句话总结。", "请用三句话总结"),
    ],
)
def test_words_are_what_is_neither_code_nor_quotation_nor_address(prompt: str, words: str) -> None:
    assert words_of(prompt) == words


def test_a_quotation_counts_where_there_is_nothing_else() -> None:
    assert words_of('"Bom dia, amigos"') == "bom dia amigos"


@pytest.mark.parametrize(
    "line",
    [
        "- comprar pão e leite;",
        "inglês -> português: bom dia a todos",
        "from scratch, please",
        "let me know: is it right?",
        "Por que a == b é falso aqui?",
        "for example: apples and pears",
        "import duties on cars are high",
    ],
)
def test_a_sentence_with_signs_in_it_is_no_code(line: str) -> None:
    assert len(words_of(line).split()) >= 3


@pytest.mark.parametrize(
    "piece",
    ["a\n", "(", " ", "a(", "`", '"a', "«", "<", "<a", "for a, ", "SELECT ", "a.", "x==\n", "漢", "```a"],
)
def test_neither_much_is_read_nor_much_given(piece: str) -> None:
    assert words_of(piece * 500_000) == words_of((piece * prose.READ_CHARS)[: prose.READ_CHARS])
    assert len(words_of(piece * 500_000)) <= prose.KEPT_CHARS
