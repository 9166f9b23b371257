package io.mola.core.model;

import io.mola.core.weights.ModelConfig;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** The seven projections of a block, in the order of computation. */
public enum Projection {
  /** Queries. */
  Q("self_attn.q_proj"),
  /** Keys. */
  K("self_attn.k_proj"),
  /** Values. */
  V("self_attn.v_proj"),
  /** Attention output. */
  O("self_attn.o_proj"),
  /** Gate of the feed-forward part. */
  GATE("mlp.gate_proj"),
  /** Up. */
  UP("mlp.up_proj"),
  /** Down. */
  DOWN("mlp.down_proj");

  private final String path;

  Projection(String path) {
    this.path = path;
  }

  /** Name below a layer, for example {@code self_attn.q_proj}. */
  public String path() {
    return path;
  }

  /** Short name as in {@code lora_target_modules}, for example {@code q_proj}. */
  public String shortName() {
    return path.substring(path.indexOf('.') + 1);
  }

  /** Input features. */
  public int in(ModelConfig c) {
    return switch (this) {
      case Q, K, V, GATE, UP -> c.hiddenSize();
      case O -> c.heads() * c.headDim();
      case DOWN -> c.intermediateSize();
    };
  }

  /** Output features. */
  public int out(ModelConfig c) {
    return switch (this) {
      case Q -> c.heads() * c.headDim();
      case K, V -> c.kvHeads() * c.headDim();
      case O, DOWN -> c.hiddenSize();
      case GATE, UP -> c.intermediateSize();
    };
  }

  /** The input group it belongs to. */
  public Group group() {
    return switch (this) {
      case Q, K, V -> Group.QKV;
      case O -> Group.O;
      case GATE, UP -> Group.GATE_UP;
      case DOWN -> Group.DOWN;
    };
  }

  /** Projections that share their input and run as one operation. */
  public enum Group {
    /** Of the normed residual stream. */
    QKV,
    /** Of the attention output. */
    O,
    /** Of the normed residual stream after attention. */
    GATE_UP,
    /** Of the activation. */
    DOWN;

    private static final Map<Group, List<Projection>> MEMBERS =
        new EnumMap<>(
            Stream.of(Projection.values()).collect(Collectors.groupingBy(Projection::group)));

    private final String label = name().toLowerCase(Locale.ROOT);

    /** Its projections in order. */
    public List<Projection> members() {
      return Objects.requireNonNull(MEMBERS.get(this));
    }

    /** Place within a layer, 0 to 3: numbers the streams of dropout. */
    public int stream() {
      return switch (this) {
        case QKV -> 0;
        case O -> 1;
        case GATE_UP -> 2;
        case DOWN -> 3;
      };
    }

    /** Input features. */
    public int in(ModelConfig c) {
      return members().getFirst().in(c);
    }

    /** Name for buffers and messages, for example {@code gate_up}. */
    public String label() {
      return label;
    }
  }

  /** The projection of that short name, if any. */
  public static java.util.Optional<Projection> ofShortName(String name) {
    return Stream.of(values()).filter(p -> p.shortName().equals(name)).findFirst();
  }
}
