#!/usr/bin/env python3
"""usage: make_tiny_hf_model.py FOLDER

Writes a llama model of two layers with random weights, with its tokenizer, as a folder that vLLM can serve.
"""

from __future__ import annotations

import sys

import torch
import transformers

import tiny_vocabulary
from make_tiny_tokenizer import CONTEXT, make_tokenizer

LAYERS, WIDTH, HEADS, FEED_FORWARD = 2, 128, 2, 256


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
