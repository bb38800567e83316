#!/usr/bin/env python3
"""usage: make_tiny_tokenizer.py FOLDER

Writes the tokenizer of the tiny models (tiny_vocabulary.py) alone, as a folder that transformers can read.
"""

from __future__ import annotations

import sys

import tokenizers
import transformers

import tiny_vocabulary

CONTEXT = 4096


def make_tokenizer(tokens: list[str], merges: list[tuple[str, str]]) -> transformers.PreTrainedTokenizerFast:
    begin = tiny_vocabulary.SPECIAL_TOKENS[tiny_vocabulary.BEGIN]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(vocabulary, merges))
    tokenizer.add_special_tokens(list(tiny_vocabulary.SPECIAL_TOKENS))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=f"{begin} $A", special_tokens=[(begin, tiny_vocabulary.BEGIN)]
    )
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token=tiny_vocabulary.SPECIAL_TOKENS[tiny_vocabulary.UNKNOWN],
        bos_token=begin,
        eos_token=tiny_vocabulary.SPECIAL_TOKENS[tiny_vocabulary.END],
        model_max_length=CONTEXT,
    )
    fast.chat_template = tiny_vocabulary.CHAT_TEMPLATE
    return fast


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    make_tokenizer(*tiny_vocabulary.build_vocabulary()).save_pretrained(sys.argv[1])


if __name__ == "__main__":
    main()
