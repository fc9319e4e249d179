#!/usr/bin/env python3
"""Makes reward/ and golden.json beside this file: a tiny random LlamaForSequenceClassification in
bfloat16, and what transformers makes of three texts in float32: scores, and last hidden states.

    python3 make-golden.py        (torch and transformers; any recent version)
"""

import json
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForSequenceClassification

HERE = Path(__file__).resolve().parent
TEXTS = [[7], [1, 30, 2, 2, 17], [5, 3, 28, 11, 0, 9, 31, 31, 4, 12, 6, 22, 19]]

torch.manual_seed(20261121)
config = LlamaConfig(
    vocab_size=32,
    hidden_size=12,
    intermediate_size=20,
    num_hidden_layers=2,
    num_attention_heads=3,
    num_key_value_heads=1,
    max_position_embeddings=64,
    initializer_range=0.4,
    id2label={0: "helpful", 1: "safe", 2: "brief"},
    label2id={"helpful": 0, "safe": 1, "brief": 2},
)
LlamaForSequenceClassification(config).to(torch.bfloat16).save_pretrained(HERE / "reward")
# Read anew: a conversion back would keep rotary frequencies rounded to bfloat16.
model = LlamaForSequenceClassification.from_pretrained(HERE / "reward", dtype=torch.float32).eval()
golden = []
with torch.no_grad():
    for ids in TEXTS:
        inputs = torch.tensor([ids])
        golden.append(
            {
                "ids": ids,
                "scores": model(inputs).logits[0].tolist(),
                "last_hidden_state": model.model(inputs).last_hidden_state[0].flatten().tolist(),
            }
        )
(HERE / "golden.json").write_text(json.dumps(golden, separators=(",", ":")) + "\n")
