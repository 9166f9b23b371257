package io.mola.core.generate;

import io.mola.core.failure.MolaException;
import io.mola.core.failure.UsageException;
import io.mola.core.model.InferenceSession;
import io.mola.core.model.LinearHook;
import io.mola.core.model.Transformer;
import java.util.Arrays;
import java.util.function.IntConsumer;
import java.util.function.IntPredicate;

/** Continues sequences token by token with a key-value cache. */
public final class Generator implements AutoCloseable {
  /** Rows of a prompt that run at a time. */
  public static final int PROMPT_CHUNK = 128;

  private final InferenceSession session;
  private final float[] logits;
  private final int capacity;

  /**
   * @param capacity longest sequence, prompt and answer together
   */
  public Generator(Transformer model, LinearHook hook, int capacity) {
    this.capacity = capacity;
    session = new InferenceSession(model, hook, capacity, PROMPT_CHUNK);
    logits = new float[model.config().vocabularySize()];
  }

  /**
   * The tokens that follow the prompt, at most {@code maxNewTokens}, without the stop token.
   *
   * @param prompt at least one token
   * @param stop ends the answer; the stop token is not part of it
   * @param onToken told of each token as it comes
   * @throws UsageException if prompt and answer do not fit
   */
  public int[] generate(
      int[] prompt, int maxNewTokens, Sampling sampling, IntPredicate stop, IntConsumer onToken) {
    if (prompt.length == 0) {
      throw new UsageException("the prompt is empty: there is nothing to continue");
    }
    if ((long) prompt.length + maxNewTokens > capacity) {
      throw new UsageException(
          "prompt of "
              + prompt.length
              + " tokens and "
              + maxNewTokens
              + " new ones exceed the capacity of "
              + capacity);
    }
    Sampler sampler = new Sampler(sampling);
    int[] answer = new int[maxNewTokens];
    session.truncate(0);
    int[] input = prompt;
    for (int count = 0; count < maxNewTokens; count++) {
      session.append(input, logits);
      int next = sampler.next(logits);
      if (!Float.isFinite(logits[next])) {
        throw new MolaException(
            "the model gave a logit that is not a finite number after "
                + session.length()
                + " tokens; check the adapter and the base model");
      }
      if (stop.test(next)) {
        return Arrays.copyOf(answer, count);
      }
      answer[count] = next;
      onToken.accept(next);
      input = new int[] {next};
    }
    return answer;
  }

  @Override
  public void close() {
    session.close();
  }
}
