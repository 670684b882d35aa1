"""Exercise 02, 1: byte-pair encoding of one word."""


def bpe(word: str, merges: list[tuple[str, str]]) -> list[str]:
    rank = {pair: i for i, pair in enumerate(merges)}
    pieces = [*word[:-1], word[-1] + "</w>"]
    while found := [pair for pair in zip(pieces, pieces[1:]) if pair in rank]:
        pieces = join(pieces, min(found, key=rank.get))
    return pieces


def join(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    joined = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return joined


def from_left_to_right(word: str, merges: list[tuple[str, str]]) -> list[str]:
    pieces = [*word[:-1], word[-1] + "</w>"]
    while found := [pair for pair in zip(pieces, pieces[1:]) if pair in set(merges)]:
        pieces = join(pieces, found[0])
    return pieces


WRONG = from_left_to_right
