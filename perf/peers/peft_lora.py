"""Trains a plain LoRA with PEFT on a token file and prints its speed and memory as one JSON object."""
import torch
from peft import LoraConfig, get_peft_model

import token_steps

PROJECTIONS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def parse():
    parser = token_steps.parser(__doc__)
    parser.add_argument("--model", required=True, help="GGUF file; its weights are held as floats")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
    parser.add_argument("--checkpointing", action="store_true", help="recompute activations")
    return parser.parse_args()


def adapted_model(options):
    model = token_steps.frozen_base(options.model, options.dtype)
    if options.checkpointing:
        model.gradient_checkpointing_enable()
        model.enable_input_require_grads()
    lora = LoraConfig(
        r=options.rank,
        lora_alpha=2 * options.rank,
        lora_dropout=options.dropout,
        target_modules=PROJECTIONS,
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, lora).train()


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    model = adapted_model(options)

    def losses_of(batch):
        loss = model(**batch).loss
        return loss, loss.detach()

    token_steps.train(options, [p for p in model.parameters() if p.requires_grad], losses_of)


if __name__ == "__main__":
    main()
