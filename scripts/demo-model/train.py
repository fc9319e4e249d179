"""Trains the tokenizer and the demo model (see README.md)."""

import argparse
import itertools
import json
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import tokenizer as bpe
from chats import document
from model import Config, Model

TOKENIZER_SEED, DATA_SEED, HELD_OUT_SEED = 11, 12, 13  # a run with --init takes another


def load_tokenizer(out):
    path = os.path.join(out, "tokenizer.json")
    if not os.path.exists(path):
        bpe.train(TOKENIZER_SEED, 20000).save(path)
    return Tokenizer.from_file(path)


def windows(tokenizer, seed, width):
    """Endless stream of windows of whole documents; only the last of a window may be cut.

    Every window starts with a document, as every prompt does later.
    """
    rng = random.Random(seed)
    row = []
    while True:
        batch = [document(rng) for _ in range(512)]
        for encoding in tokenizer.encode_batch(batch, add_special_tokens=False):
            row += encoding.ids
            if len(row) >= width:
                yield row[:width]
                row = []


def take(stream, count):
    return np.array(list(itertools.islice(stream, count)))


def document_mask(ids, bos):
    """Causal attention that never looks into another document of the window."""
    doc = (ids == bos).cumsum(1)
    same = doc[:, None, :, None] == doc[:, None, None, :]
    t = ids.shape[1]
    return same & torch.ones(t, t, dtype=torch.bool).tril()


def loss_of(model, rows, bos):
    ids = torch.from_numpy(rows)
    x, y = ids[:, :-1], ids[:, 1:].clone()
    y[y == bos] = -100  # nothing can tell which document comes next
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(x, document_mask(x, bos))
    return F.cross_entropy(logits.float().flatten(0, 1), y.flatten(), ignore_index=-100)


def held_out_loss(model, rows, bos):
    model.eval()
    with torch.no_grad():
        losses = [loss_of(model, rows[i:i + 16], bos).item() for i in range(0, len(rows), 16)]
    model.train()
    return sum(losses) / len(losses)


def learning_rate(step, progress, args):
    """Warm-up by steps, then a cosine over the progress from 0 to 1."""
    cosine = args.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))
    return cosine * min(1.0, (step + 1) / args.warmup)


def make_optimizer(model, args):
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=args.lr, betas=(0.9, 0.98), fused=True)


def save(model, config, info, path):
    torch.save({"model": model.state_dict(), "config": config.as_dict(), "info": info}, path + ".tmp")
    os.replace(path + ".tmp", path)


def train(args):
    torch.manual_seed(args.seed)
    os.makedirs(args.out, exist_ok=True)
    tokenizer = load_tokenizer(args.out)
    bos = tokenizer.token_to_id(bpe.SPECIALS[0])
    config = Config()
    width = config.context + 1
    data = windows(tokenizer, args.data_seed, width)
    held_out = take(windows(tokenizer, HELD_OUT_SEED, width), 64)
    model = Model(config)
    if args.init:
        model.load_state_dict(torch.load(args.init, weights_only=True)["model"])
    runner = torch.compile(model) if args.compile else model
    optimizer = make_optimizer(model, args)
    info = {"parameters": sum(p.numel() for p in model.parameters()), "seed": args.seed,
            "batch": args.batch, "lr": args.lr, "planned_steps": args.steps}
    print(json.dumps(info), flush=True)
    begin, total = time.time(), 0.0
    for step in range(args.steps):
        progress = step / args.steps
        if args.minutes:
            # On a shared machine nobody knows how many steps fit into the time, so the
            # schedule can follow the clock: it always ends with a small rate.
            progress = max(progress, (time.time() - begin) / (60 * args.minutes))
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, progress, args)
        loss = loss_of(runner, take(data, args.batch), bos)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        total += loss.item()
        if (step + 1) % args.log == 0:
            print(f"step {step + 1} loss {total / args.log:.4f} {time.time() - begin:.0f} s", flush=True)
            total = 0.0
        last = step + 1 == args.steps or progress >= 1
        if (step + 1) % args.save == 0 or last:
            info.update(step=step + 1, tokens=(step + 1) * args.batch * config.context,
                        held_out_loss=held_out_loss(model, held_out, bos),
                        seconds=round(time.time() - begin))
            print(json.dumps(info), flush=True)
            save(model, config, info, os.path.join(args.out, "model.pt"))
        if last:
            break


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="build", help="folder for the tokenizer and the checkpoints")
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--warmup", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-seed", type=int, default=DATA_SEED)
    parser.add_argument("--init", help="checkpoint to go on from, with a fresh optimizer")
    parser.add_argument("--minutes", type=float, default=0, help="stop and decay by the clock")
    parser.add_argument("--log", type=int, default=20)
    parser.add_argument("--save", type=int, default=250)
    parser.add_argument("--compile", action="store_true", help="faster, but needs a C++ compiler")
    train(parser.parse_args())


if __name__ == "__main__":
    main()
