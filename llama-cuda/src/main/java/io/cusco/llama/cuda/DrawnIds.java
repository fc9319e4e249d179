package io.cusco.llama.cuda;

/// Ids on the device that the host may not know yet: those that the draws of a step have given.
///
/// @param address `[count]` int32
/// @param count as many as there may be; a step refers to those that were drawn
record DrawnIds(long address, int count) {
  /// Of a model that draws no tokens.
  static final DrawnIds NONE = new DrawnIds(0, 0);
}
