"""Trains with the MoLA authors' own code (GCYZSL/MoLA) and prints its speed and memory as one JSON object.

MOLA_AUTHORS_SRC names their unpacked repository. Their Llama has no grouped-query attention, so this
is SmolLM2-135M's shape with as many key heads as query heads, on random weights: its losses say
nothing. As in their commands: experts 2-4-6-8, top-2, rank 8, padding on the left, balance loss off.
"""
import contextlib
import io
import os
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
import torch

import token_steps

torch.Tensor.cuda = lambda self, *args, **kwargs: self  # their code moves tensors there unasked
sys.path.insert(0, os.environ["MOLA_AUTHORS_SRC"])
from src.mola_lora_hacked import LoraConfig
from src.mola_mapping_hacked import get_peft_model
from src.mola_modeling_llama_hacked import LlamaForCausalLM_d
from transformers.models.llama.configuration_llama import LlamaConfig

PROJECTIONS = ["q_proj", "v_proj", "k_proj", "o_proj", "gate_proj", "down_proj", "up_proj"]
LAYERS = 30
EXPERTS = [2] * 8 + [4] * 8 + [6] * 7 + [8] * 7
TOP_K = [2] * LAYERS


def adapted_model(options):
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=576,
        intermediate_size=1536,
        num_hidden_layers=LAYERS,
        num_attention_heads=9,
        rms_norm_eps=1e-5,
        max_position_embeddings=2048,
    )
    config.lora_target_modules = PROJECTIONS
    lora = LoraConfig(
        r=[options.rank] * LAYERS,
        lora_alpha=2 * options.rank,
        target_modules=PROJECTIONS,
        lora_dropout=options.dropout,
        bias="none",
        task_type="CAUSAL_LM",
    )
    model = LlamaForCausalLM_d(config)
    model.get_new_parameters(EXPERTS, TOP_K, False)
    model.requires_grad_(False)
    return get_peft_model(model, lora, number_experts=EXPERTS, top_k=TOP_K).train()


def main():
    options = token_steps.parser(__doc__).parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    with contextlib.redirect_stdout(io.StringIO()):  # they print as they go
        model = adapted_model(options)

    def losses_of(batch):
        with contextlib.redirect_stdout(io.StringIO()):
            loss = model(**batch, use_cache=False).loss
        return loss, loss.detach()

    trained = [p for p in model.parameters() if p.requires_grad]
    token_steps.train(options, trained, losses_of, side="left", fused=False)


if __name__ == "__main__":
    main()
