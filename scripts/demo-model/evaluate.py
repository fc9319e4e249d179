"""Checks the written GGUF with a second forward pass, prints samples, writes golden.json.

The pass here shares no code with model.py: numpy in float64, weights dequantised from the
file, tokens and settings read from its metadata.
"""

import argparse
import json
import os
import random
import time

import gguf
import numpy as np
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers

from export_gguf import NAME, gguf_name
from tokenizer import LLAMA3_SPLIT


def chat(*turns):
    """The text that the chat template makes for a list of (role, content)."""
    text = "".join(f"<|start_header_id|>{role}<|end_header_id|>\n\n{content}<|eot_id|>"
                   for role, content in turns)
    return text + "<|start_header_id|>assistant<|end_header_id|>\n\n"


GOLDEN = [
    ("once", "Once upon a time"),
    ("dog", "The little dog"),
    ("chat-fox", chat(("user", "Tell me a story about a fox."))),
    ("chat-mia", chat(("system", "You are a friendly storyteller."),
                      ("user", "Can you write a short story about a brave girl named Mia?"))),
    ("chat-hello", chat(("user", "Hello!"))),
    ("chat-two", chat(("user", "Who are you?"),
                      ("assistant", "I am a tiny model that tells little stories. Ask me for one."),
                      ("user", "I would like a story with a dragon, please."))),
]


class File:
    """Metadata and dequantised tensors of a GGUF file."""

    def __init__(self, path):
        reader = gguf.GGUFReader(path)
        self.fields = {k: f.contents() for k, f in reader.fields.items()}
        self.tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64)
                        for t in reader.tensors}

    def __getitem__(self, key):
        return self.fields[key]

    def tokenizer(self):
        tokens, kinds = self["tokenizer.ggml.tokens"], self["tokenizer.ggml.token_type"]
        normal = {t: i for i, (t, kind) in enumerate(zip(tokens, kinds)) if kind == 1}
        merges = [tuple(m.split(" ")) for m in self["tokenizer.ggml.merges"]]
        made = Tokenizer(models.BPE(vocab=normal, merges=merges, ignore_merges=True))
        made.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        made.decoder = decoders.ByteLevel()
        made.add_special_tokens([AddedToken(t, special=True, normalized=False)
                                 for t, kind in zip(tokens, kinds) if kind == 3])
        return made


class Network:
    """Token by token with a key/value cache."""

    def __init__(self, file):
        self.w = file.tensors
        self.layers = file["llama.block_count"]
        self.heads = file["llama.attention.head_count"]
        self.kv_heads = file["llama.attention.head_count_kv"]
        self.dim = file["llama.attention.key_length"]
        self.eps = file["llama.attention.layer_norm_rms_epsilon"]
        half = np.arange(self.dim // 2)
        self.freq = file["llama.rope.freq_base"] ** (-2.0 * half / self.dim)
        self.reset()

    def reset(self):
        self.position = 0
        self.cache = [([], []) for _ in range(self.layers)]

    def norm(self, x, name):
        return x / np.sqrt((x * x).mean() + self.eps) * self.w[name]

    def rope(self, x):
        """Pair i of a head is the complex number x[2i] + j x[2i+1], turned by its angle."""
        pairs = x.reshape(-1, self.dim // 2, 2)
        turned = (pairs[..., 0] + 1j * pairs[..., 1]) * np.exp(1j * self.position * self.freq)
        return np.stack((turned.real, turned.imag), -1).reshape(-1, self.dim)

    def attention(self, h, layer):
        w = lambda part: self.w[f"blk.{layer}.attn_{part}.weight"]
        q = self.rope(w("q") @ h).reshape(self.kv_heads, -1, self.dim)
        keys, values = self.cache[layer]
        keys.append(self.rope(w("k") @ h))
        values.append((w("v") @ h).reshape(self.kv_heads, self.dim))
        scores = np.einsum("gqd,tgd->gqt", q, np.array(keys)) / np.sqrt(self.dim)
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        mix = np.einsum("gqt,tgd->gqd", scores / scores.sum(-1, keepdims=True), np.array(values))
        return w("output") @ mix.reshape(-1)

    def step(self, token):
        """Feeds one token; returns the logits of the next."""
        x = self.w["token_embd.weight"][token].copy()
        for layer in range(self.layers):
            name = f"blk.{layer}."
            x += self.attention(self.norm(x, name + "attn_norm.weight"), layer)
            h = self.norm(x, name + "ffn_norm.weight")
            gate = self.w[name + "ffn_gate.weight"] @ h
            gate /= 1 + np.exp(-gate)
            x += self.w[name + "ffn_down.weight"] @ (gate * (self.w[name + "ffn_up.weight"] @ h))
        self.position += 1
        head = self.w.get("output.weight", self.w["token_embd.weight"])
        return head @ self.norm(x, "output_norm.weight")

    def run(self, ids):
        """Starts anew; returns the logits after every token."""
        self.reset()
        return np.array([self.step(i) for i in ids])


def log_sum_exp(logits):
    top = logits.max()
    return float(top + np.log(np.exp(logits - top).sum()))


class Storyteller:
    """Generation on top of the network."""

    def __init__(self, file):
        self.network, self.tokenizer = Network(file), file.tokenizer()
        self.bos = file["tokenizer.ggml.bos_token_id"]
        self.ends = {file["tokenizer.ggml.eos_token_id"], file["tokenizer.ggml.eot_token_id"]}
        self.context = file["llama.context_length"]

    def encode(self, text):
        return [self.bos] + self.tokenizer.encode(text, add_special_tokens=False).ids

    def generate(self, ids, count, temperature=0.0, top_p=0.95, rng=None):
        """Returns the new ids, ending token included, and the margin of the best at each step."""
        logits, new, margins = self.network.run(ids)[-1], [], []
        while len(new) < count and len(ids) + len(new) < self.context:
            best, second = np.sort(logits)[-2:][::-1]
            margins.append(float(best - second))
            new.append(int(logits.argmax()) if temperature == 0 else
                       sample(logits / temperature, top_p, rng))
            if new[-1] in self.ends:
                break
            logits = self.network.step(new[-1])
        return new, margins

    def tell(self, prompt, temperature, seed):
        new, _ = self.generate(self.encode(prompt), 400, temperature, rng=np.random.default_rng(seed))
        return self.tokenizer.decode(new, skip_special_tokens=False)


def sample(logits, top_p, rng):
    p = np.exp(logits - logits.max())
    p /= p.sum()
    order = np.argsort(-p)
    keep = order[:np.searchsorted(np.cumsum(p[order]), top_p) + 1]
    return int(rng.choice(keep, p=p[keep] / p[keep].sum()))


def check_against_torch(teller, file, out):
    """The same dequantised weights in model.py: proves names, layout and RoPE order."""
    import torch
    from model import Config, Model, rope_table
    saved = torch.load(os.path.join(out, "model.pt"), weights_only=True)
    config = Config(**saved["config"])
    model = Model(config).double().eval()
    model.cos, model.sin = rope_table(config)
    model.load_state_dict({n: torch.from_numpy(file.tensors[gguf_name(n)]) for n in saved["model"]})
    trained = Model(config).eval()
    trained.load_state_dict(saved["model"])
    worst = loss = 0.0
    for _, text in GOLDEN:
        ids = teller.encode(text)
        ids += teller.generate(ids, 64)[0]
        ours = teller.network.run(ids)
        with torch.no_grad():
            batch = torch.tensor([ids])
            worst = max(worst, np.abs(ours - model(batch)[0].numpy()).max())
            loss = max(loss, np.abs(ours - trained(batch)[0].double().numpy()).max())
    print(f"largest logit difference: {worst:.2e} to torch on the same weights, "
          f"{loss:.2e} to the weights before Q8_0")
    assert worst < 1e-8
    return worst


def check_tokenizer(teller, file, out):
    """The metadata alone must give the training tokenizer, and the template Llama 3's text."""
    import jinja2
    from chats import documents
    trained = Tokenizer.from_file(os.path.join(out, "tokenizer.json"))
    for _, text in zip(range(500), documents(99)):
        assert trained.encode(text).ids == teller.tokenizer.encode(text).ids
    pieces = [p for p, kind in zip(file["tokenizer.ggml.tokens"], file["tokenizer.ggml.token_type"])
              if kind == 1]
    merges = Tokenizer.from_str(teller.tokenizer.to_str().replace('"ignore_merges":true', '"ignore_merges":false'))
    odd = [p for i, p in enumerate(pieces) if len(merges.model.tokenize(p)) != 1]
    turns = [("system", "Be kind."), ("user", " Hello! "), ("assistant", "Hi."), ("user", "Bye.")]
    made = jinja2.Template(file["tokenizer.chat_template"]).render(
        bos_token="<|begin_of_text|>", add_generation_prompt=True,
        messages=[{"role": r, "content": c} for r, c in turns])
    assert made == "<|begin_of_text|>" + chat(*((r, c.strip()) for r, c in turns))
    print(f"tokenizer and chat template agree; {len(odd)} pieces need ignore_merges: {odd}")



def check_requests(teller, count, temperature):
    """How many answers end and have the hero that was asked for, with fresh requests."""
    from chats import ASK_ABOUT, fix_articles, variant
    from stories import Story
    rng, good, ended = random.Random(4242), 0, 0  # no seed of the training text
    for i in range(count):
        story = Story(rng)
        hero = rng.choice(story.hero_phrases())
        ask = variant(rng.choice(ASK_ABOUT).replace("@", "%"), rng).replace("%", fix_articles(hero))
        answer = teller.tell(chat(("user", ask)), temperature, i)
        words = [w for w in hero.replace("named", "").replace("called", "").split()
                 if w in (story.cast.hero.kind, story.cast.hero.name)]
        fits = all(w.lower() in answer.lower() for w in words)
        good, ended = good + fits, ended + answer.endswith("<|eot_id|>")
        if not fits:
            print(f"  missed: {ask} -> {answer[:110]!r}")
    print(f"temperature {temperature}: {good} of {count} answers have the hero, {ended} end with <|eot_id|>")


def golden_entry(teller, name, text):
    ids = teller.encode(text)
    logits = teller.network.run(ids)
    last = logits[-1]
    top = np.argsort(-last)[:20]
    greedy, margins = teller.generate(ids, 64)
    return {
        "name": name, "text": text, "ids": ids,
        "logits_last_top": [[int(i), float(last[i])] for i in top],
        "logsumexp": log_sum_exp(last),
        "prompt_logprobs": [float(row[i]) - log_sum_exp(row) for row, i in zip(logits, ids[1:])],
        "greedy_ids": greedy, "greedy_margin": margins,
        "greedy_text": teller.tokenizer.decode(greedy, skip_special_tokens=False),
    }


def write_golden(teller, out, worst):
    golden = {
        "prompts": [golden_entry(teller, name, text) for name, text in GOLDEN],
        "provenance": "scripts/demo-model/evaluate.py: numpy float64 on the dequantised weights of "
                      f"{NAME}.gguf, activations not quantised; checked against torch float64 (largest "
                      f"difference {worst:.1e}). Greedy tokens stop after an end token or at 64.",
    }
    with open(os.path.join(out, "golden.json"), "w", encoding="utf-8") as file:
        json.dump(golden, file, indent=1)
        file.write("\n")


def print_samples(teller):
    for name, text in GOLDEN:
        for temperature in (0.0, 0.8):
            begin = time.time()
            answer = teller.tell(text, temperature, 1)
            print(f"--- {name}, temperature {temperature} ({time.time() - begin:.1f} s)\n{answer}\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", default="build", help="folder with the GGUF, tokenizer.json and model.pt")
    parser.add_argument("--check", type=int, default=0, help="number of requests to try")
    parser.add_argument("--ask", help="only answer this request")
    parser.add_argument("--temperature", type=float, default=0.0)
    args = parser.parse_args()
    file = File(os.path.join(args.out, NAME + ".gguf"))
    teller = Storyteller(file)
    if args.ask:
        print(teller.tell(chat(("user", args.ask)), args.temperature, None))
        return
    check_tokenizer(teller, file, args.out)
    worst = check_against_torch(teller, file, args.out)
    write_golden(teller, args.out, worst)
    print_samples(teller)
    for temperature in (0.0, 0.8) if args.check else ():
        check_requests(teller, args.check, temperature)


if __name__ == "__main__":
    main()
