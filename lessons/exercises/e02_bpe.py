"""Exercise 02, 1: byte-pair encoding of one word."""


def bpe(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """The pieces of a word of plain letters: "skiing" -> ["sk", "iing</w>"], if these are as far as
    the merges go.

    It starts as its letters, the last one with "</w>" after it. As long as some neighbours are in
    `merges`, the pair that stands earliest there is joined, everywhere in the word.
    """
    raise NotImplementedError
