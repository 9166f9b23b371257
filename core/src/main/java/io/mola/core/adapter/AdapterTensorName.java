package io.mola.core.adapter;

import io.mola.core.adapter.AdapterTensor.Kind;
import io.mola.core.model.Projection;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * What the name of a tensor in an adapter file says, in the three formats that are in use:
 *
 * <pre>{@code
 * MoLA's authors  base_model.model.model.layers.0.mlp.up_proj.lora_A_3.weight    .router.router.weight
 * PEFT (LoRA)     base_model.model.model.layers.0.mlp.up_proj.lora_A.weight
 * MoE-PEFT        mola.layers.0.mlp.up_proj.experts.3.lora_A.weight              .moe_gate.weight
 * }</pre>
 *
 * @param expert 0 in PEFT's format, which knows one expert, and for routers
 */
record AdapterTensorName(int layer, Projection projection, Kind kind, int expert) {
  private static final Pattern NAME =
      Pattern.compile(
          "(?:(?:base_model\\.model\\.)?model|mola)\\.layers\\.(\\d{1,6})\\.((?:self_attn|mlp)\\.\\w+)\\.(.+)");
  private static final Pattern EXPERT =
      Pattern.compile("(?:experts\\.(\\d{1,6})\\.)?lora_([AB])(?:_(\\d{1,6}))?\\.weight");

  static Optional<AdapterTensorName> parse(String name) {
    Matcher matcher = NAME.matcher(name);
    if (!matcher.matches()) {
      return Optional.empty();
    }
    int layer = Integer.parseInt(matcher.group(1));
    String part = matcher.group(3);
    for (Projection projection : Projection.values()) {
      if (projection.path().equals(matcher.group(2))) {
        return parsePart(layer, projection, part);
      }
    }
    return Optional.empty();
  }

  private static Optional<AdapterTensorName> parsePart(
      int layer, Projection projection, String part) {
    if (part.equals("router.router.weight") || part.equals("moe_gate.weight")) {
      return Optional.of(new AdapterTensorName(layer, projection, Kind.ROUTER, 0));
    }
    Matcher expert = EXPERT.matcher(part);
    if (!expert.matches() || (expert.group(1) != null && expert.group(3) != null)) {
      return Optional.empty();
    }
    String number = expert.group(1) == null ? expert.group(3) : expert.group(1);
    Kind kind = expert.group(2).equals("A") ? Kind.A : Kind.B;
    return Optional.of(
        new AdapterTensorName(
            layer, projection, kind, number == null ? 0 : Integer.parseInt(number)));
  }
}
