package io.cusco.llama.cuda.driver;

import io.cusco.llama.LlamaException;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The parameters of one `.entry` of a PTX text, in order.
///
/// @param kernel its name
public record PtxSignature(String kernel, List<Parameter> parameters) {
  public PtxSignature {
    parameters = List.copyOf(parameters);
  }

  /// @param type PTX's type without the dot: "u64", "f32"; "b8" with `numBytes` above 1 is a
  ///   structure
  /// @param offset byte offset in the parameter block: parameters follow each other at their
  ///   alignment
  public record Parameter(String type, int numBytes, int offset) {
    @Override
    public String toString() {
      return numBytes == sizeOf(type)
          ? "." + type
          : ".%s[%d]".formatted(type, numBytes / sizeOf(type));
    }
  }

  private static final Pattern COMMENT = Pattern.compile("//[^\n]*|/\\*.*?\\*/", Pattern.DOTALL);

  private static final Pattern ENTRY =
      Pattern.compile("\\.entry\\s+([\\w$%]+)\\s*(?:\\(([^)]*)\\))?");

  /// `.param [.align N] .type [.ptr [.space] [.align N]] name [\[N\]]`, as in PTX ISA, "Kernel
  /// function parameters".
  private static final Pattern PARAMETER =
      Pattern.compile(
          "\\.param\\s+(?:\\.align\\s+(\\d+)\\s+)?\\.([a-z]\\d+)\\b[^,\\[]*?[\\w$%]+\\s*(?:\\[\\s*(\\d+)\\s*\\])?");

  /// The entries of a module's text in order.
  ///
  /// @throws LlamaException if a parameter is not understood
  public static List<PtxSignature> parse(String ptx) {
    Matcher entry = ENTRY.matcher(COMMENT.matcher(ptx).replaceAll(" "));
    List<PtxSignature> signatures = new ArrayList<>();
    while (entry.find()) {
      String parameters = entry.group(2) == null ? "" : entry.group(2).strip();
      signatures.add(new PtxSignature(entry.group(1), parameters(entry.group(1), parameters)));
    }
    return List.copyOf(signatures);
  }

  private static List<Parameter> parameters(String kernel, String text) {
    List<Parameter> parameters = new ArrayList<>();
    if (text.isEmpty()) {
      return parameters;
    }
    int offset = 0;
    for (String declaration : text.split(",", -1)) {
      Matcher matcher = PARAMETER.matcher(declaration.strip());
      if (!matcher.matches()) {
        throw new LlamaException(
            "kernel %s: parameter %d is not understood: %s"
                .formatted(kernel, parameters.size(), declaration.strip()));
      }
      int elementBytes = sizeOf(matcher.group(2));
      int alignment = matcher.group(1) == null ? elementBytes : Integer.parseInt(matcher.group(1));
      int count = matcher.group(3) == null ? 1 : Integer.parseInt(matcher.group(3));
      offset = Math.ceilDiv(offset, alignment) * alignment;
      parameters.add(new Parameter(matcher.group(2), elementBytes * count, offset));
      offset += elementBytes * count;
    }
    return parameters;
  }

  private static int sizeOf(String type) {
    return Integer.parseInt(type.substring(1)) / Byte.SIZE;
  }

  /// @throws LlamaException if these types are not the kernel's parameters
  void require(List<ParameterType> types) {
    boolean same = types.size() == parameters.size();
    for (int i = 0; same && i < types.size(); i++) {
      Parameter parameter = parameters.get(i);
      same =
          types.get(i).matches(parameter.type()) && types.get(i).numBytes() == parameter.numBytes();
    }
    if (!same) {
      throw new LlamaException(
          "kernel %s takes (%s), Java passes %s: its PTX and its launch were not made for each other"
              .formatted(
                  kernel,
                  parameters.stream().map(Parameter::toString).collect(Collectors.joining(", ")),
                  types));
    }
  }
}
