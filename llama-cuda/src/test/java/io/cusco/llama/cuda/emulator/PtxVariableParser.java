package io.cusco.llama.cuda.emulator;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/// Reads declarations of variables: `.global .align 4 .b8 table[24] = {…}`.
final class PtxVariableParser {
  private PtxVariableParser() {}

  /// What was read of a declaration's left side.
  private static final class Declaration {
    String space;
    String name;
    PtxType type;
    int vector = 1;
    int alignment;
    long elements = 1;
  }

  static PtxVariable parse(String text, int line) {
    int equals = text.indexOf('=');
    String left = equals < 0 ? text : text.substring(0, equals).strip();
    try {
      Declaration declaration = declaration(left);
      int elementBytes = declaration.type.numBytes();
      long numBytes = declaration.elements * elementBytes * declaration.vector;
      List<PtxVariable.Reference> references = new ArrayList<>();
      byte[] initial = null;
      if (equals >= 0) {
        initial = initial(text.substring(equals + 1).strip(), declaration.type, references);
      }
      return new PtxVariable(
          declaration.name,
          declaration.space,
          Math.max(declaration.alignment, elementBytes * declaration.vector),
          numBytes,
          initial,
          references,
          line);
    } catch (IllegalArgumentException e) {
      throw PtxException.at(line, text, e.getMessage());
    }
  }

  private static Declaration declaration(String left) {
    Declaration declaration = new Declaration();
    String[] words = left.split(" ", -1);
    for (int i = 0; i < words.length; i++) {
      String word = words[i];
      switch (word) {
        case ".visible", ".weak", ".extern", ".common" -> {}
        case ".global", ".const", ".shared", ".local" -> declaration.space = word.substring(1);
        case ".align" -> declaration.alignment = Integer.parseInt(words[++i]);
        case ".v2", ".v4" -> declaration.vector = word.charAt(2) - '0';
        default -> {
          if (word.startsWith(".")) {
            declaration.type = PtxType.named(word.substring(1));
            if (declaration.type == null) {
              throw new IllegalArgumentException("`" + word + "` is not emulated");
            }
          } else {
            nameAndSize(declaration, String.join("", List.of(words).subList(i, words.length)));
            i = words.length;
          }
        }
      }
    }
    if (declaration.space == null || declaration.type == null || declaration.name == null) {
      throw new IllegalArgumentException("this directive is not emulated");
    }
    return declaration;
  }

  private static void nameAndSize(Declaration declaration, String text) {
    int bracket = text.indexOf('[');
    declaration.name = bracket < 0 ? text : text.substring(0, bracket);
    for (int at = bracket; at >= 0; at = text.indexOf('[', at + 1)) {
      String size = text.substring(at + 1, text.indexOf(']', at));
      declaration.elements *= size.isEmpty() ? 0 : PtxOperandParser.integer(size);
    }
  }

  private static byte[] initial(String text, PtxType type, List<PtxVariable.Reference> references) {
    List<String> values = PtxOperandParser.split(text.replace("{", "").replace("}", ""));
    ByteBuffer bytes =
        ByteBuffer.allocate(values.size() * type.numBytes()).order(ByteOrder.LITTLE_ENDIAN);
    for (String value : values) {
      long bits = 0;
      if (Character.isDigit(value.charAt(0)) || value.charAt(0) == '-') {
        bits = PtxOperandParser.literal(value).bits();
      } else {
        String symbol = value.replaceAll("generic\\((.*)\\)", "$1");
        int plus = symbol.indexOf('+');
        String name = plus < 0 ? symbol : symbol.substring(0, plus);
        long addend = plus < 0 ? 0 : PtxOperandParser.integer(symbol.substring(plus + 1));
        references.add(new PtxVariable.Reference(bytes.position(), name, addend));
      }
      switch (type.numBytes()) {
        case 1 -> bytes.put((byte) bits);
        case 2 -> bytes.putShort((short) bits);
        case 4 -> bytes.putInt((int) bits);
        default -> bytes.putLong(bits);
      }
    }
    return bytes.array();
  }
}
