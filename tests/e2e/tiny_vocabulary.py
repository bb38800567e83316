"""The vocabulary that the tiny models of these tests share: byte-level BPE, made here, nothing downloaded.

Every byte is a token, so any text can be encoded; a few hundred words are merged letter by letter, so that the number
of tokens is not the number of bytes, as with any real tokenizer. About one random token in eight is half of a UTF-8
character: a server then sends chunks with an empty text, and its clients must count them all the same.
"""

from __future__ import annotations

SPECIAL_TOKENS = ("<unk>", "<s>", "</s>", "<|user|>", "<|assistant|>", "<|system|>", "<|end|>")
UNKNOWN, BEGIN, END = 0, 1, 2

CHAT_TEMPLATE = (
    "{{ '<s>' }}{% for message in messages %}"
    "{{ '<|' + message['role'] + '|>' + message['content'] + '<|end|>' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)

WORDS = """the of and to in is that for it as was with be by on not he his but at are this have from or had an they
which one you were all her she there would their we him been has when who will no more if out so up said what its
about than into them can only other time new some could these two may first then do any like my now over such our man
me even most made after also did many must before back through years where much your way well down should because each
just those people how too little state good very make world still own see men work long here get both between life
being under three never know same last another while us off might great go come since against right used take small
large server model token answer question write read code function return value number list table text file line user
system load test result report request stream queue cache memory price hour second minute day night water light house
school country city place part point hand head eye face word name story book paper letter music money power order
summary summarize document explain describe example following above below between within without during against"""


def byte_characters() -> list[str]:
    """The printable stand-in of each byte, as GPT-2's tokenizer and all its successors write it."""
    printable = {*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    stand_ins = iter(range(0x100, 0x200))
    return [chr(byte) if byte in printable else chr(next(stand_ins)) for byte in range(256)]


def build_vocabulary() -> tuple[list[str], list[tuple[str, str]]]:
    """Gives the tokens in the order of their numbers, and the merges in the order of their rank."""
    characters = byte_characters()
    space = characters[ord(" ")]
    tokens = dict.fromkeys((*SPECIAL_TOKENS, *characters))
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS.split():
        for spelled in (word, space + word):
            prefix = spelled[0]
            for letter in spelled[1:]:
                merges.setdefault((prefix, letter))
                prefix += letter
                tokens.setdefault(prefix)
    return list(tokens), list(merges)
