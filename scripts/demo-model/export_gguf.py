"""Writes the trained model as a GGUF file: matrices Q8_0, norms F32."""

import argparse
import json
import os

import gguf
import torch

from tokenizer import SPECIALS

NAME = "cusco-demo-stories"
DESCRIPTION = ("A tiny model of the Llama 3 family that tells little stories. Text generator, "
               "training and weights are part of Cusco.")
# Llama 3's first template. String expressions only, so no whitespace option changes it.
CHAT_TEMPLATE = (
    r"{{ bos_token }}{% for message in messages %}"
    r"{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    r" + message['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    r"{% if add_generation_prompt %}"
    r"{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
BLOCK_NAMES = {
    "attn_norm": "attn_norm", "ffn_norm": "ffn_norm", "q": "attn_q", "k": "attn_k", "v": "attn_v",
    "o": "attn_output", "gate": "ffn_gate", "up": "ffn_up", "down": "ffn_down",
}


def gguf_name(name):
    """Our parameter name -> the name that llama files use."""
    if name == "embed.weight":
        return "token_embd.weight"  # also the output matrix: there is no output.weight
    if name == "norm.weight":
        return "output_norm.weight"
    _, number, part, _ = name.split(".")
    return f"blk.{number}.{BLOCK_NAMES[part]}.weight"


def add_general(writer):
    writer.add_name(NAME)
    writer.add_description(DESCRIPTION)
    writer.add_license("apache-2.0")
    writer.add_languages(["en"])
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)


def add_hyperparameters(writer, c):
    writer.add_block_count(c["layers"])
    writer.add_context_length(c["context"])
    writer.add_embedding_length(c["hidden"])
    writer.add_feed_forward_length(c["ffn"])
    writer.add_head_count(c["heads"])
    writer.add_head_count_kv(c["kv_heads"])
    writer.add_key_length(c["head_dim"])
    writer.add_value_length(c["head_dim"])
    writer.add_layer_norm_rms_eps(c["eps"])
    writer.add_rope_dimension_count(c["head_dim"])
    writer.add_rope_freq_base(c["rope_theta"])
    writer.add_vocab_size(c["vocab"])


def add_tokenizer(writer, path):
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    ids = dict(data["model"]["vocab"], **{t["content"]: t["id"] for t in data["added_tokens"]})
    tokens = sorted(ids, key=ids.get)
    assert [ids[t] for t in tokens] == list(range(len(tokens)))
    assert tokens[-len(SPECIALS):] == SPECIALS
    merges = [m if isinstance(m, str) else " ".join(m) for m in data["model"]["merges"]]
    kinds = [gguf.TokenType.CONTROL if t in SPECIALS else gguf.TokenType.NORMAL for t in tokens]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("llama-bpe")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_bos_token_id(ids["<|begin_of_text|>"])
    writer.add_eos_token_id(ids["<|end_of_text|>"])
    writer.add_eot_token_id(ids["<|eot_id|>"])
    writer.add_add_bos_token(True)
    writer.add_chat_template(CHAT_TEMPLATE)


def add_tensors(writer, state):
    for name, tensor in state.items():
        data = tensor.float().numpy()
        if data.ndim == 1:
            writer.add_tensor(gguf_name(name), data)
            continue
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(gguf_name(name), gguf.quants.quantize(data, kind), raw_dtype=kind)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="build", help="folder with tokenizer.json and model.pt")
    args = parser.parse_args()
    saved = torch.load(os.path.join(args.out, "model.pt"), weights_only=True)
    path = os.path.join(args.out, NAME + ".gguf")
    writer = gguf.GGUFWriter(path + ".tmp", "llama")
    add_general(writer)
    add_hyperparameters(writer, saved["config"])
    add_tokenizer(writer, os.path.join(args.out, "tokenizer.json"))
    add_tensors(writer, saved["model"])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(path + ".tmp", path)
    print(path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
