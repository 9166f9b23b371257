package io.mola.core.data;

import java.util.List;

/** A shape of records, recognised by their keys. */
interface DatasetFormat {
  /** All formats, in the order in which they are tried. */
  static List<DatasetFormat> all() {
    return List.of(
        new TokenisedFormat(), new MessagesFormat(), new AlpacaFormat(), new CompletionFormat());
  }

  /** The keys a record of this format has, for messages. */
  String keys();

  /** Whether the record has them. */
  boolean recognises(DataRecord record);

  /**
   * The example of a record, of any length.
   *
   * @throws io.mola.core.failure.UsageException naming file, line and fault
   */
  Example example(DataRecord record, ExampleBuilder builder);
}
