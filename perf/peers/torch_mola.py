"""Trains MoLA in plain PyTorch on a token file and prints its speed and memory as one JSON object.

The same mathematics as mola: a router for each projection, the softmax of the top-k logits as gates,
a load-balancing loss for each layer. The experts of a projection lie side by side and the gates of
experts that were not chosen are zero: two products for all experts, no loop over experts or tokens.
"""
import torch
from torch import nn
from torch.nn import functional

import token_steps

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
BALANCE_COEFFICIENT = 0.001


class MixtureLinear(nn.Module):
    """y = W x + sum over experts e of gate_e * (alpha / r) * B_e A_e dropout(x); W is frozen."""

    def __init__(self, base, experts, top_k, rank, scaling, dropout):
        super().__init__()
        self.base = base
        self.experts, self.top_k, self.rank = experts, min(top_k, experts), rank
        self.scaling = scaling
        self.dropout = nn.Dropout(dropout)
        bound = base.in_features**-0.5
        self.a = nn.Parameter(torch.empty(experts * rank, base.in_features).uniform_(-bound, bound))
        self.b = nn.Parameter(torch.zeros(base.out_features, experts * rank))
        self.router = None
        if experts > 1:
            self.router = nn.Parameter(torch.empty(experts, base.in_features).uniform_(-bound, bound))
        self.logits = None

    def forward(self, x):
        rows = x.flatten(0, -2)
        u = functional.linear(self.dropout(rows), self.a) * self.scaling
        if self.router is not None:
            u = (u.unflatten(-1, (self.experts, self.rank)) * self.gates(rows).unsqueeze(-1)).flatten(-2)
        y = torch.addmm(self.base(rows), u, self.b.t())
        return y.unflatten(0, x.shape[:-1])

    def gates(self, rows):
        """[rows, experts], zero but for the top-k; the logits are kept for the balance loss."""
        self.logits = functional.linear(rows, self.router)
        best = self.logits.topk(self.top_k, dim=-1)
        return torch.zeros_like(self.logits).scatter(-1, best.indices, best.values.softmax(dim=-1))


def balance_loss(modules, real):
    """N * sum_i f_i P_i over the real tokens of all projections of one layer; 1 when balanced."""
    logits = torch.cat([module.logits[real] for module in modules])
    top_k = modules[0].top_k
    chosen = logits.topk(top_k, dim=-1).indices
    experts = logits.shape[-1]
    fractions = torch.bincount(chosen.flatten(), minlength=experts) / chosen.numel()
    return experts * (fractions * logits.softmax(dim=-1).mean(dim=0)).sum()


def experts_of_layers(digits, layers):
    """One digit for each part of the layers, lowest first; the lower parts take what is left over."""
    part, more = divmod(layers, len(digits))
    counts = []
    for i, digit in enumerate(digits):
        counts += [int(digit)] * (part + (i < more))
    return counts


def adapt(model, options):
    """Wraps the projections in place; gives their lists, one for each layer."""
    layers = model.model.layers
    mixtures = []
    for layer, experts in zip(layers, experts_of_layers(options.num_experts, len(layers))):
        mixtures.append([])
        for parent in (layer.self_attn, layer.mlp):
            for name in PROJECTIONS:
                base = getattr(parent, name, None)
                if base is not None:
                    scaling = options.alpha / options.rank
                    mixture = MixtureLinear(base, experts, options.top_k, options.rank, scaling, options.dropout)
                    setattr(parent, name, mixture)
                    mixtures[-1].append(mixture)
    return mixtures


def parse():
    parser = token_steps.parser(__doc__)
    parser.add_argument("--model", required=True, help="GGUF file; its weights are held as floats")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--num-experts", default="2468", help="one digit for each part of the layers")
    parser.add_argument("--top-k", type=int, default=2)
    parser.add_argument("--alpha", type=float, default=16)
    return parser.parse_args()


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = token_steps.frozen_base(options.model, options.dtype)
    mixtures = adapt(model, options)
    model.train()

    def losses_of(batch):
        cross_entropy = model(**batch, use_cache=False).loss
        real = batch["attention_mask"].flatten().bool()
        balance = sum(balance_loss(layer, real) for layer in mixtures if layer[0].router is not None)
        return cross_entropy + BALANCE_COEFFICIENT * balance, cross_entropy.detach()

    token_steps.train(options, [p for p in model.parameters() if p.requires_grad], losses_of)


if __name__ == "__main__":
    main()
