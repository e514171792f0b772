"""Byte-level BPE as GPT-2 and Qwen have it: learning the merges, and encoding."""
import collections
import re

# Qwen 2's split into words, in Python's own words: the corpus is ASCII, so
# letters are A-Z and a-z.
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]| ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
NORMAL, CONTROL, UNUSED = 1, 3, 5  # token types of GGUF


def byte_letters():
    """GPT-2's printable letter for each of the 256 bytes."""
    out, n = [], 256
    for b in range(256):
        if 33 <= b <= 126 or 161 <= b <= 172 or b >= 174:
            out.append(chr(b))
        else:
            out.append(chr(n))
            n += 1
    return out


LETTERS = byte_letters()


def words(text):
    return ["".join(LETTERS[b] for b in w.encode()) for w in SPLIT.findall(text)]


def join(parts, a, b):
    i = 0
    while i < len(parts) - 1:
        if parts[i] == a and parts[i + 1] == b:
            parts[i:i + 2] = [a + b]
        else:
            i += 1


class Tokenizer:
    """tokens, types and merges are what a GGUF file holds."""

    def __init__(self, texts, merges=440, rarest=4):
        counts = collections.Counter(w for t in texts for w in words(t))
        self.known = {w: list(w) for w in counts}
        self.merges = []
        while len(self.merges) < merges:
            seen = collections.Counter()
            for w, n in counts.items():
                parts = self.known[w]
                for pair in zip(parts, parts[1:]):
                    seen[pair] += n
            # The pair itself breaks ties, so that one corpus gives one vocabulary.
            (a, b), n = max(seen.items(), key=lambda x: (x[1], x[0]))
            if n < rarest:
                break
            self.merges.append((a, b))
            for parts in self.known.values():
                join(parts, a, b)
        self.tokens = LETTERS + [a + b for a, b in self.merges]
        self.types = [NORMAL] * len(self.tokens) + [CONTROL] * len(SPECIAL)
        self.tokens = self.tokens + SPECIAL
        while len(self.tokens) % 32:  # rows stay whole blocks of Q8_0
            self.tokens.append(f"<|unused_{len(self.tokens)}|>")
            self.types.append(UNUSED)
        self.id = {t: i for i, t in enumerate(self.tokens)}
        self.end_of_text, self.start, self.end = (self.id[s] for s in SPECIAL)

    def encode(self, text):
        out = []
        for w in words(text):
            parts = self.known.get(w)
            if parts is None:
                parts = list(w)
                for a, b in self.merges:
                    join(parts, a, b)
            out += [self.id[p] for p in parts]
        return out

    def conversation(self, turns):
        """ChatML tokens, and for each whether the model has to learn to write it."""
        ids, learn = [], []
        for role, text in turns:
            head = [self.start] + self.encode(role + "\n") if role == "assistant" else [self.start] + self.encode(role + "\n" + text) + [self.end]
            ids += head
            learn += [0] * len(head)
            if role == "assistant":
                body = self.encode(text) + [self.end]
                ids += body
                learn += [1] * len(body)
            ids += self.encode("\n")
            learn.append(0)
        return ids, learn
