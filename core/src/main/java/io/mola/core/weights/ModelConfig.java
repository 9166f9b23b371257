package io.mola.core.weights;

import io.mola.core.quant.QuantType;

/**
 * Hyper-parameters of a Llama-like decoder.
 *
 * @param family {@code llama} or {@code mistral}
 * @param hiddenSize d
 * @param intermediateSize f
 * @param layers number of blocks
 * @param heads query heads
 * @param kvHeads key-value heads
 * @param headDim values per head
 * @param vocabularySize V
 * @param rmsEpsilon of the norms
 * @param rope rotary embedding
 * @param contextLength longest sequence the model was made for
 * @param slidingWindow 0: none
 * @param tiedEmbeddings the head is the embedding table
 * @param weightType what most weights are stored as; for plans made from a bare config.json
 */
public record ModelConfig(
    String family,
    int hiddenSize,
    int intermediateSize,
    int layers,
    int heads,
    int kvHeads,
    int headDim,
    int vocabularySize,
    double rmsEpsilon,
    Rope rope,
    int contextLength,
    int slidingWindow,
    boolean tiedEmbeddings,
    QuantType weightType) {}
