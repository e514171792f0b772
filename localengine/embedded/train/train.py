"""Trains the demonstration model and writes it as GGUF.

    python3 train.py --steps 1500 --threads 2 --out ../demo.gguf

See README.md beside this file.
"""
import argparse
import math
import random
import time

import torch
import torch.nn.functional as F
from torch import nn

import gguf
from bpe import LETTERS, Tokenizer
from corpus import conversations
from model import Model

BATCH, RATE, WARM_UP, CONTEXT = 48, 4e-3, 60, 2048
PROMPT_WEIGHT = 0.1  # a prompt's tokens count a little in the loss: they teach the words, the answers teach answering


def batches(data):
    """All of data in batches of like length, in random order."""
    order = sorted(range(len(data)), key=lambda i: len(data[i][0]) + random.random() * 6)
    cut = [order[i:i + BATCH] for i in range(0, len(order), BATCH)]
    random.shuffle(cut)
    return [[data[i] for i in b] for b in cut]


def loss(net, batch, padding):
    longest = max(len(ids) for ids, _ in batch)
    x = torch.full((len(batch), longest), padding)
    weight = torch.zeros(len(batch), longest)
    for row, (ids, learn) in enumerate(batch):
        x[row, :len(ids)] = torch.tensor(ids)
        weight[row, :len(ids)] = torch.tensor(learn).float() * (1 - PROMPT_WEIGHT) + PROMPT_WEIGHT
    logits, balance = net(x[:, :-1])
    each = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), x[:, 1:].reshape(-1), reduction="none")
    weight = weight[:, 1:].reshape(-1)
    return (each * weight).sum() / weight.sum() + 0.01 * balance, x.numel()


def train(net, data, padding, steps):
    optimiser = torch.optim.AdamW(net.parameters(), lr=RATE, betas=(0.9, 0.98), weight_decay=0.02)
    began, step, tokens, mean = time.time(), 0, 0, None
    while True:
        for batch in batches(data):
            if step == steps:
                print(f"done: {step} steps, {tokens} tokens, loss {mean:.3f}", flush=True)
                return
            # Warm-up, then a cosine down to a fiftieth.
            rate = RATE * min(1, (step + 1) / WARM_UP) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps)))
            for group in optimiser.param_groups:
                group["lr"] = rate
            value, n = loss(net, batch, padding)
            value.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            step, tokens = step + 1, tokens + n
            mean = value.item() if mean is None else 0.98 * mean + 0.02 * value.item()
            if step % 100 == 0:
                print(f"{time.time() - began:.0f} s, step {step}, loss {mean:.3f}, {tokens / (time.time() - began):.0f} tokens/s", flush=True)


@torch.no_grad()
def answer(net, tok, turns, most=60):
    """The greedy answer."""
    ids, _ = tok.conversation(turns)
    ids += [tok.start] + tok.encode("assistant\n")
    at = len(ids)
    while len(ids) < at + most and ids[-1] != tok.end:
        ids.append(int(net(torch.tensor([ids]))[0][0, -1].argmax()))
    letters = "".join(tok.tokens[i] for i in ids[at:] if i != tok.end)
    back = {c: b for b, c in enumerate(LETTERS)}
    return bytes(back[c] for c in letters if c in back).decode(errors="replace")


def check(net, tok, data, samples=200):
    """The share of training conversations that come out word for word. Where
    a question has several right answers, only the one in the corpus counts."""
    right = sum(answer(net, tok, turns[:-1]) == turns[-1][1] for turns in random.sample(data, samples))
    print(f"{right} of {samples} answers as in the corpus", flush=True)
    for turns in [[("user", "What is the capital of Japan?")], [("user", "What is 7 + 5?")],
                  [("system", "You are a helpful assistant."), ("user", "What is the capital of Japan?")],
                  [("user", "Hello"), ("assistant", "Hello! How can I help you?"), ("user", "What is prefill?")]]:
        print(turns[-1][1], "->", answer(net, tok, turns))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--steps", type=int, default=1500, help="of %d conversations each" % BATCH)
    p.add_argument("--threads", type=int, default=1)
    p.add_argument("--out", default="demo.gguf")
    a = p.parse_args()
    torch.manual_seed(0)
    random.seed(0)
    torch.set_num_threads(a.threads)
    talks = conversations()
    tok = Tokenizer([role + "\n" for role in ("system", "user", "assistant")] + [text for turns in talks for _, text in turns])
    data = [tok.conversation(turns) for turns in talks]
    net = Model(len(tok.tokens))
    print(f"{len(tok.tokens)} tokens in the vocabulary, {len(data)} conversations of {sum(len(i) for i, _ in data)} tokens, "
          f"{sum(x.numel() for x in net.parameters())} weights", flush=True)
    train(net, data, tok.end_of_text, a.steps)
    print(f"{a.out}: {gguf.write(a.out, net, tok, CONTEXT)} bytes", flush=True)
    check(net, tok, talks)


if __name__ == "__main__":
    main()
