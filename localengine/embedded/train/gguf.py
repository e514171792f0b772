"""Writes the model as a GGUF version 3 file: matrices in Q8_0, the rest in F32.

The format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
Q8_0: blocks of 32 weights, a float16 scale (greatest magnitude / 127) and 32
signed bytes."""
import struct

import torch

import model as m

U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
TENSOR_F32, TENSOR_Q8_0 = 0, 8
ARCH = "qwen3moe"
TEMPLATE = ("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}"
            "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}")


def string(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == STRING:
        return string(v)
    if kind == ARRAY:
        of, items = v
        return struct.pack("<IQ", of, len(items)) + b"".join(value(of, x) for x in items)
    return struct.pack({U32: "<I", I32: "<i", F32: "<f", BOOL: "<B"}[kind], v)


def metadata(tok, context):
    out = [("general.architecture", STRING, ARCH), ("general.name", STRING, "farthing-demonstration"), ("general.type", STRING, "model"),
           ("general.file_type", U32, 7), ("general.quantization_version", U32, 2), ("general.license", STRING, "apache-2.0")]
    for k, v in dict(block_count=m.LAYERS, context_length=context, embedding_length=m.WIDTH, feed_forward_length=m.EXPERT_WIDTH,
                     expert_feed_forward_length=m.EXPERT_WIDTH, expert_count=m.EXPERTS, expert_used_count=m.USED, vocab_size=len(tok.tokens)).items():
        out.append((f"{ARCH}.{k}", U32, v))
    for k, v in dict(head_count=m.HEADS, head_count_kv=m.KV_HEADS, key_length=m.HEAD, value_length=m.HEAD).items():
        out.append((f"{ARCH}.attention.{k}", U32, v))
    out += [(f"{ARCH}.attention.layer_norm_rms_epsilon", F32, m.EPSILON), (f"{ARCH}.rope.freq_base", F32, m.THETA),
            ("tokenizer.ggml.model", STRING, "gpt2"), ("tokenizer.ggml.pre", STRING, "qwen2"),
            ("tokenizer.ggml.tokens", ARRAY, (STRING, tok.tokens)), ("tokenizer.ggml.token_type", ARRAY, (I32, tok.types)),
            ("tokenizer.ggml.merges", ARRAY, (STRING, [f"{a} {b}" for a, b in tok.merges])),
            ("tokenizer.ggml.bos_token_id", U32, tok.end_of_text), ("tokenizer.ggml.eos_token_id", U32, tok.end),
            ("tokenizer.ggml.padding_token_id", U32, tok.end_of_text), ("tokenizer.ggml.add_bos_token", BOOL, False),
            ("tokenizer.chat_template", STRING, TEMPLATE)]
    return out


def tensors(net):
    """name, weights, whether quantized. Norms and the router stay exact: they
    are small, and the router's order decides which experts run."""
    out = [("token_embd.weight", net.embedding.weight, True), ("output_norm.weight", net.norm.weight, False), ("output.weight", net.output.weight, True)]
    for i, b in enumerate(net.blocks):
        out += [(f"blk.{i}.{name}.weight", w, q) for name, w, q in [
            ("attn_norm", b.attn_norm.weight, False), ("attn_q", b.q.weight, True), ("attn_k", b.k.weight, True), ("attn_v", b.v.weight, True),
            ("attn_output", b.o.weight, True), ("attn_q_norm", b.q_norm.weight, False), ("attn_k_norm", b.k_norm.weight, False),
            ("ffn_norm", b.ffn_norm.weight, False), ("ffn_gate_inp", b.router.weight, False),
            ("ffn_gate_exps", b.gate, True), ("ffn_up_exps", b.up, True), ("ffn_down_exps", b.down, True)]]
    return out


def q8_0(w):
    blocks = w.reshape(-1, 32)
    scale = (blocks.abs().amax(1) / 127).half()
    inverse = torch.where(scale > 0, 1 / scale.float(), torch.zeros(len(scale)))
    quants = (blocks * inverse[:, None]).round().clamp(-127, 127).to(torch.int8)
    return b"".join(struct.pack("<e32b", s, *q) for s, q in zip(scale.tolist(), quants.tolist()))


def write(path, net, tok, context):
    kv, ts = metadata(tok, context), tensors(net)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(ts), len(kv))
    for k, kind, v in kv:
        head += string(k) + struct.pack("<I", kind) + value(kind, v)
    body, offset = [], 0
    for name, w, quantized in ts:
        w = w.detach().float()
        data = q8_0(w) if quantized else struct.pack(f"<{w.numel()}f", *w.reshape(-1).tolist())
        dims = list(w.shape)[::-1]  # GGUF names the fastest dimension first
        head += string(name) + struct.pack("<I", len(dims)) + b"".join(struct.pack("<Q", d) for d in dims)
        head += struct.pack("<IQ", TENSOR_Q8_0 if quantized else TENSOR_F32, offset)
        data += b"\0" * (-len(data) % 32)
        offset += len(data)
        body.append(data)
    head += b"\0" * (-len(head) % 32)
    with open(path, "wb") as f:
        f.write(head + b"".join(body))
    return len(head) + offset
