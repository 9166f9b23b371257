"""Training speed of PyTorch on the shapes that mola is measured on: PEFT LoRA, then a plain MoLA.

usage: torch_rates.py --full|--tiny

--full needs a GPU; --tiny runs on the CPU, too, to try the script. The result is one JSON line on
standard output, printed again when a row is added: the last line counts. Exit status 77, with the
reason on the error stream, where PyTorch cannot be imported or sees no GPU.

Random Llama bases in bfloat16 (float32 without a GPU), gradient checkpointing off, rank 8, alpha 16
and dropout 0.05 on the seven projections. MoLA has experts 2-4-6-8 from the lowest quarter of the
layers to the highest, two of them chosen per token, and the balance loss of each layer; gates are
dense with zeros and experts stacked, as mola computes them.
"""
import json
import sys
import time

NOT_HERE = 77
try:
    import peft
    import torch
    import transformers
except (ImportError, OSError) as missing:  # OSError: one of its libraries does not load
    print(f"PyTorch with transformers and peft cannot be imported: {missing}", file=sys.stderr)
    sys.exit(NOT_HERE)

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK, ALPHA, DROPOUT, TOP_K = 8, 16, 0.05, 2
BALANCE = 0.001
SHAPES = {
    "tiny": dict(hidden_size=256, intermediate_size=512, num_hidden_layers=4,
                 num_attention_heads=4, num_key_value_heads=2, vocab_size=256),
    "one-billion": dict(hidden_size=2048, intermediate_size=5632, num_hidden_layers=22,
                        num_attention_heads=32, num_key_value_heads=4, vocab_size=32000),
}


class Mola(torch.nn.Module):
    """y = x W^T + alpha/r (drop(x) A^T * gates) B, gates softmax over the two largest router logits.

    The router sees x without dropout; its logits are kept for the balance loss.
    """

    def __init__(self, base, experts):
        super().__init__()
        self.base, self.experts, self.logits = base, experts, None
        options = dict(device=base.weight.device, dtype=torch.float32)
        a = torch.empty(experts * RANK, base.in_features, **options)
        torch.nn.init.kaiming_uniform_(a, a=5 ** 0.5)
        self.a = torch.nn.Parameter(a)
        self.b = torch.nn.Parameter(torch.zeros(experts * RANK, base.out_features, **options))
        self.router = torch.nn.Parameter(torch.randn(experts, base.in_features, **options) * 0.02)

    def forward(self, x):
        self.logits = torch.nn.functional.linear(x, self.router.to(x.dtype)).float()
        top = self.logits.topk(min(TOP_K, self.experts), dim=-1)
        gates = torch.zeros_like(self.logits).scatter(-1, top.indices, top.values.softmax(-1))
        dropped = torch.nn.functional.dropout(x, DROPOUT, self.training)
        z = torch.nn.functional.linear(dropped, self.a.to(x.dtype))
        z = z * gates.to(x.dtype).repeat_interleave(RANK, -1) * (ALPHA / RANK)
        return self.base(x) + z @ self.b.to(x.dtype)


def balance_loss(layer):
    """N sum_i f_i P_i over the rows of all modules of a layer; 1 where experts are used alike."""
    logits = torch.cat([m.logits.flatten(0, 1) for m in layer.modules() if isinstance(m, Mola)])
    experts = logits.shape[-1]
    picks = logits.topk(min(TOP_K, experts), dim=-1).indices.flatten()
    f = torch.zeros(experts, device=logits.device).index_add(
        0, picks, torch.full(picks.shape, 1 / picks.numel(), device=logits.device))
    return experts * (f * logits.softmax(-1).mean(0)).sum()


def add_mola(model):
    layers = model.model.layers
    model.requires_grad_(False)
    for index, layer in enumerate(layers):
        experts = (2, 4, 6, 8)[index * 4 // len(layers)]
        for part in (layer.self_attn, layer.mlp):
            for name in PROJECTIONS:
                if hasattr(part, name):
                    setattr(part, name, Mola(getattr(part, name), experts))
    return model, lambda: BALANCE * sum(balance_loss(layer) for layer in layers)


def add_lora(model):
    config = peft.LoraConfig(
        r=RANK, lora_alpha=ALPHA, target_modules=PROJECTIONS, lora_dropout=DROPOUT)
    return peft.get_peft_model(model, config), lambda: 0.0


def rate(shape, adapt, sequences, length, steps, device):
    torch.manual_seed(1)
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    config = transformers.LlamaConfig(**SHAPES[shape], max_position_embeddings=4096)
    config.use_cache = False
    with torch.device(device):
        model = transformers.LlamaForCausalLM(config).to(dtype)
    model, extra_loss = adapt(model)
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=3e-4, weight_decay=0.0)
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    seconds, losses = [], []
    for _ in range(steps):
        tokens = torch.randint(0, config.vocab_size, (sequences, length), device=device)
        wait()
        start = time.perf_counter()
        loss = model(input_ids=tokens, labels=tokens).loss
        (loss + extra_loss()).backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        wait()
        seconds.append(time.perf_counter() - start)
    warm = sorted(seconds[1:])
    step = warm[len(warm) // 2]
    return dict(tokensPerSecond=sequences * length / step, stepMillis=step * 1000,
                peakDeviceBytes=torch.cuda.max_memory_allocated() if device == "cuda" else 0,
                trainedParameters=sum(p.numel() for p in trained), losses=losses)


def main():
    if sys.argv[1:] not in (["--full"], ["--tiny"]):
        sys.exit(__doc__)
    tiny = sys.argv[1] == "--tiny"
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu" and not tiny:
        print("PyTorch sees no GPU", file=sys.stderr)
        sys.exit(NOT_HERE)
    shape, sequences, length, steps = ("tiny", 2, 32, 3) if tiny else ("one-billion", 8, 1024, 5)
    rows = []
    for name, adapt in (("PEFT LoRA", add_lora), ("plain MoLA 2468", add_mola)):
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        measured = rate(shape, adapt, sequences, length, steps, device)
        rows.append(dict(name=f"{name} {shape} {sequences}x{length}", device=device, **measured))
        print(json.dumps(dict(torch=torch.__version__, transformers=transformers.__version__,
                              peft=peft.__version__, rows=rows)), flush=True)


if __name__ == "__main__":
    main()
