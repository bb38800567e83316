#!/usr/bin/env python3
"""usage: make_tiny_gguf.py FILE.gguf

Writes a llama model of two layers with random weights, for llama.cpp. The same bytes each time.
"""

from __future__ import annotations

import sys

import gguf
import numpy

import tiny_vocabulary

LAYERS, WIDTH, HEADS, FEED_FORWARD, CONTEXT = 2, 128, 2, 256, 16384


def write_hyperparameters(writer: gguf.GGUFWriter) -> None:
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FEED_FORWARD)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)


def write_tokenizer(writer: gguf.GGUFWriter, tokens: list[str], merges: list[tuple[str, str]]) -> None:
    special = len(tiny_vocabulary.SPECIAL_TOKENS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * special + [gguf.TokenType.NORMAL] * (len(tokens) - special))
    writer.add_token_merges([f"{left} {right}" for left, right in merges])
    writer.add_unk_token_id(tiny_vocabulary.UNKNOWN)
    writer.add_bos_token_id(tiny_vocabulary.BEGIN)
    writer.add_eos_token_id(tiny_vocabulary.END)
    writer.add_add_bos_token(True)
    writer.add_chat_template(tiny_vocabulary.CHAT_TEMPLATE)


def write_weights(writer: gguf.GGUFWriter, vocabulary: int) -> None:
    generator = numpy.random.default_rng(3)

    def add_random(name: str, *shape: int) -> None:
        writer.add_tensor(name, generator.normal(0, 0.02, shape).astype(numpy.float32))

    def add_ones(name: str) -> None:
        writer.add_tensor(name, numpy.ones(WIDTH, numpy.float32))

    add_random("token_embd.weight", vocabulary, WIDTH)
    for layer in range(LAYERS):
        block = f"blk.{layer}."
        add_ones(block + "attn_norm.weight")
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            add_random(block + name + ".weight", WIDTH, WIDTH)
        add_ones(block + "ffn_norm.weight")
        add_random(block + "ffn_gate.weight", FEED_FORWARD, WIDTH)
        add_random(block + "ffn_up.weight", FEED_FORWARD, WIDTH)
        add_random(block + "ffn_down.weight", WIDTH, FEED_FORWARD)
    add_ones("output_norm.weight")
    add_random("output.weight", vocabulary, WIDTH)


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    tokens, merges = tiny_vocabulary.build_vocabulary()
    writer = gguf.GGUFWriter(sys.argv[1], "llama")
    write_hyperparameters(writer)
    write_tokenizer(writer, tokens, merges)
    write_weights(writer, len(tokens))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
