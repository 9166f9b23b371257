"""Training speed of PyTorch on the shapes that Measure uses: PEFT LoRA and a plain MoLA.

usage: torch_rates.py full|tiny RESULT.json

Random Llama bases in bfloat16 (float32 without a GPU), gradient checkpointing off, rank 8 on the
seven projections; MoLA has experts 2-4-6-8 from the lowest quarter of the layers to the highest,
two of them chosen per token, gates dense with zeros, as mola computes them.
"""
import json
import sys
import time

import peft
import torch
import transformers

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
SHAPES = {
    "tiny": dict(hidden_size=256, intermediate_size=512, num_hidden_layers=4,
                 num_attention_heads=4, num_key_value_heads=2, vocab_size=256),
    "one-billion": dict(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22,
                        num_attention_heads=32, num_key_value_heads=4, vocab_size=32000),
}


class Mola(torch.nn.Module):
    """y = x W^T + scale * (x A^T * gates) B, gates softmax over the two largest router logits."""

    def __init__(self, base, experts, rank=8, alpha=16):
        super().__init__()
        self.base, self.experts, self.rank, self.scale = base, experts, rank, alpha / rank
        options = dict(device=base.weight.device, dtype=torch.float32)
        self.a = torch.nn.Parameter(torch.randn(experts * rank, base.in_features, **options) * 0.02)
        self.b = torch.nn.Parameter(torch.zeros(experts * rank, base.out_features, **options))
        self.router = torch.nn.Parameter(torch.randn(experts, base.in_features, **options) * 0.02)

    def forward(self, x):
        logits = torch.nn.functional.linear(x, self.router.to(x.dtype)).float()
        top = logits.topk(min(2, self.experts), dim=-1)
        gates = torch.zeros_like(logits).scatter(-1, top.indices, top.values.softmax(-1))
        z = torch.nn.functional.linear(x, self.a.to(x.dtype))
        z = z * gates.to(x.dtype).repeat_interleave(self.rank, -1) * self.scale
        return self.base(x) + z @ self.b.to(x.dtype)


def add_mola(model):
    layers = model.model.layers
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for index, layer in enumerate(layers):
        experts = (2, 4, 6, 8)[index * 4 // len(layers)]
        for part in (layer.self_attn, layer.mlp):
            for name in PROJECTIONS:
                if hasattr(part, name):
                    setattr(part, name, Mola(getattr(part, name), experts))
    return model


def add_lora(model):
    config = peft.LoraConfig(r=8, lora_alpha=16, target_modules=PROJECTIONS, lora_dropout=0.0)
    return peft.get_peft_model(model, config)


def rate(shape, adapt, sequences, length, steps, device):
    torch.manual_seed(1)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    config = transformers.LlamaConfig(**SHAPES[shape], max_position_embeddings=4096)
    with torch.device(device):
        model = transformers.LlamaForCausalLM(config).to(dtype)
    model = adapt(model)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-4)
    tokens = torch.randint(0, config.vocab_size, (sequences, length), device=device)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    seconds = []
    for _ in range(steps):
        wait()
        start = time.perf_counter()
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        wait()
        seconds.append(time.perf_counter() - start)
    step = sorted(seconds[1:])[len(seconds[1:]) // 2]
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    return dict(tokensPerSecond=sequences * length / step, stepMillis=step * 1000,
                peakDeviceBytes=peak, loss=float(loss))


def main():
    scale, result = sys.argv[1:]
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape, sequences, length, steps = ("tiny", 2, 32, 3) if scale == "tiny" else ("one-billion", 8, 1024, 6)
    rows = []
    for name, adapt in (("PEFT LoRA", add_lora), ("plain MoLA", add_mola)):
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        row = dict(name=f"{name} {shape} {sequences}x{length}", device=device,
                   **rate(shape, adapt, sequences, length, steps, device))
        rows.append(row)
        print("  %-36s %9.0f tokens/s  %9.1f ms/step  peak %d MiB" % (
            row["name"], row["tokensPerSecond"], row["stepMillis"], row["peakDeviceBytes"] >> 20), flush=True)
        with open(result, "w") as file:
            json.dump(dict(torch=torch.__version__, peft=peft.__version__, rows=rows), file, indent=2)


if __name__ == "__main__":
    main()
