"""Qwen 3 MoE, small: grouped-query attention with normed queries and keys,
rotary positions, and in each layer 8 experts of which 2 answer each token."""
import math

import torch
import torch.nn.functional as F
from torch import nn

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD, EXPERTS, USED, EXPERT_WIDTH = 4, 128, 4, 2, 32, 8, 2, 128
THETA, EPSILON = 10000.0, 1e-6


class Norm(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(n))

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + EPSILON) * self.weight


def linear(n_in, n_out):
    layer = nn.Linear(n_in, n_out, bias=False)
    nn.init.normal_(layer.weight, std=n_in ** -0.5)
    return layer


def rotate(x):
    """Rotary position embedding in the NeoX order, as ggml computes it for Qwen."""
    frequencies = THETA ** (-torch.arange(0, HEAD, 2).float() / HEAD)
    angles = torch.arange(x.shape[2]).float()[:, None] * frequencies
    c, s = angles.cos(), angles.sin()
    a, b = x[..., : HEAD // 2], x[..., HEAD // 2:]
    return torch.cat([a * c - b * s, b * c + a * s], -1)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_norm, self.ffn_norm = Norm(WIDTH), Norm(WIDTH)
        self.q, self.k, self.v = linear(WIDTH, HEADS * HEAD), linear(WIDTH, KV_HEADS * HEAD), linear(WIDTH, KV_HEADS * HEAD)
        self.o = linear(HEADS * HEAD, WIDTH)
        self.q_norm, self.k_norm = Norm(HEAD), Norm(HEAD)
        self.router = linear(WIDTH, EXPERTS)
        self.gate = nn.Parameter(torch.randn(EXPERTS, EXPERT_WIDTH, WIDTH) * WIDTH ** -0.5)
        self.up = nn.Parameter(torch.randn(EXPERTS, EXPERT_WIDTH, WIDTH) * WIDTH ** -0.5)
        self.down = nn.Parameter(torch.randn(EXPERTS, WIDTH, EXPERT_WIDTH) * EXPERT_WIDTH ** -0.5)

    def attention(self, x):
        n, t, _ = x.shape
        h = self.attn_norm(x)
        q = rotate(self.q_norm(self.q(h).view(n, t, HEADS, HEAD)).transpose(1, 2))
        k = rotate(self.k_norm(self.k(h).view(n, t, KV_HEADS, HEAD)).transpose(1, 2))
        v = self.v(h).view(n, t, KV_HEADS, HEAD).transpose(1, 2)
        k, v = (y.repeat_interleave(HEADS // KV_HEADS, 1) for y in (k, v))
        scores = q @ k.transpose(-1, -2) / math.sqrt(HEAD) + torch.full((t, t), -1e9).triu(1)
        return self.o((scores.softmax(-1) @ v).transpose(1, 2).reshape(n, t, -1))

    def experts(self, x):
        h = self.ffn_norm(x).reshape(-1, WIDTH)
        p = self.router(h).softmax(-1)
        weight, chosen = p.topk(USED, -1)
        weight = weight / weight.sum(-1, keepdim=True)
        y = torch.zeros_like(h)
        for e in range(EXPERTS):
            rows, place = (chosen == e).nonzero(as_tuple=True)
            if len(rows):
                z = h[rows]
                y = y.index_add(0, rows, (F.silu(z @ self.gate[e].T) * (z @ self.up[e].T)) @ self.down[e].T * weight[rows, place, None])
        # Switch Transformer's balance loss: equal work for all experts is its minimum.
        share = F.one_hot(chosen, EXPERTS).float().sum(1).mean(0) / USED
        return y.view_as(x), EXPERTS * (share * p.mean(0)).sum()

    def forward(self, x):
        x = x + self.attention(x)
        y, balance = self.experts(x)
        return x + y, balance


class Model(nn.Module):
    def __init__(self, vocabulary):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, WIDTH)
        nn.init.normal_(self.embedding.weight, std=0.5)
        self.blocks = nn.ModuleList(Block() for _ in range(LAYERS))
        self.norm, self.output = Norm(WIDTH), linear(WIDTH, vocabulary)

    def forward(self, ids):
        x, balance = self.embedding(ids), 0
        for block in self.blocks:
            x, b = block(x)
            balance = balance + b / LAYERS
        return self.output(self.norm(x)), balance
