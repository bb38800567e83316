#!/usr/bin/env python3
"""usage: make_tiny_hf_model.py FOLDER

Writes a llama model of two layers with random weights, with its tokenizer, as a folder that vLLM can serve.
"""

from __future__ import annotations

import sys

import tokenizers
import torch
import transformers

import tiny_vocabulary

LAYERS, WIDTH, HEADS, FEED_FORWARD, CONTEXT = 2, 128, 2, 256, 4096


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


def make_model(vocabulary: int) -> transformers.LlamaForCausalLM:
    torch.manual_seed(3)
    configuration = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=WIDTH,
        intermediate_size=FEED_FORWARD,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=HEADS,
        max_position_embeddings=CONTEXT,
        bos_token_id=tiny_vocabulary.BEGIN,
        eos_token_id=tiny_vocabulary.END,
        tie_word_embeddings=False,
    )
    return transformers.LlamaForCausalLM(configuration)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tokens, merges = tiny_vocabulary.build_vocabulary()
    make_tokenizer(tokens, merges).save_pretrained(sys.argv[1])
    make_model(len(tokens)).save_pretrained(sys.argv[1], safe_serialization=True)


if __name__ == "__main__":
    main()
