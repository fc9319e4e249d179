package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;

/// Splits PTX text into statements, without comments and with the line where each begins.
///
/// A statement ends at `;`, at the `:` of a label, at a brace that opens or closes a scope, or, for
/// a few directives, with its line. A brace after the start of a statement belongs to an operand
/// vector or an initialiser, except behind the header of a kernel.
final class PtxStatements {
  /// What a statement is.
  enum Kind {
    TEXT,
    LABEL,
    HEADER,
    OPEN,
    CLOSE
  }

  /// One statement, white space collapsed, without its `;`, `:` or brace.
  record Statement(Kind kind, String text, int line) {}

  private static final Set<String> LINE_DIRECTIVES =
      Set.of(".version", ".target", ".address_size", ".file", ".loc");

  private final String text;
  private final List<Statement> statements = new ArrayList<>();
  private int position;
  private int line = 1;

  private PtxStatements(String text) {
    this.text = text;
  }

  static List<Statement> split(String ptx) {
    PtxStatements splitter = new PtxStatements(withoutComments(ptx));
    splitter.run();
    return splitter.statements;
  }

  /// Blanks comments out, keeping line ends and what stands in quotes.
  private static String withoutComments(String ptx) {
    StringBuilder out = new StringBuilder(ptx.length());
    int i = 0;
    while (i < ptx.length()) {
      char c = ptx.charAt(i);
      if (c == '"') {
        int end = ptx.indexOf('"', i + 1);
        end = end < 0 ? ptx.length() - 1 : end;
        out.append(ptx, i, end + 1);
        i = end + 1;
      } else if (ptx.startsWith("//", i)) {
        int end = ptx.indexOf('\n', i);
        i = end < 0 ? ptx.length() : end;
      } else if (ptx.startsWith("/*", i)) {
        int end = ptx.indexOf("*/", i + 2);
        end = end < 0 ? ptx.length() : end + 2;
        ptx.substring(i, end).chars().filter(x -> x == '\n').forEach(x -> out.append('\n'));
        out.append(' ');
        i = end;
      } else {
        out.append(c);
        i++;
      }
    }
    return out.toString();
  }

  private void run() {
    while (skipSpace()) {
      char c = text.charAt(position);
      if (c == '{' || c == '}') {
        add(c == '{' ? Kind.OPEN : Kind.CLOSE, position, position, line);
        position++;
      } else if (c == ';') {
        position++;
      } else if (c == '.' && LINE_DIRECTIVES.contains(word())) {
        int end = text.indexOf('\n', position);
        end = end < 0 ? text.length() : end;
        add(Kind.TEXT, position, end, line);
        position = end;
      } else if (c == '.' && word().equals(".section")) {
        skipSection();
      } else {
        statement();
      }
    }
  }

  private boolean skipSpace() {
    while (position < text.length() && Character.isWhitespace(text.charAt(position))) {
      line += text.charAt(position) == '\n' ? 1 : 0;
      position++;
    }
    return position < text.length();
  }

  private String word() {
    int end = position;
    while (end < text.length() && !Character.isWhitespace(text.charAt(end))) {
      end++;
    }
    return text.substring(position, end);
  }

  /// Debug sections hold data directives only; their braces do not nest.
  private void skipSection() {
    int end = text.indexOf('}', position);
    if (end < 0) {
      throw PtxException.at(line, word(), "section without end");
    }
    countLines(position, end);
    position = end + 1;
  }

  private void countLines(int from, int to) {
    for (int i = from; i < to; i++) {
      line += text.charAt(i) == '\n' ? 1 : 0;
    }
  }

  private void statement() {
    int start = position;
    int depth = 0;
    boolean labelPossible = true;
    boolean header = false;
    for (int i = start; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"') {
        i = Math.max(i, text.indexOf('"', i + 1));
      } else if (c == ';' && depth == 0) {
        finish(Kind.TEXT, start, i, i + 1);
        return;
      } else if (c == ':' && labelPossible) {
        finish(Kind.LABEL, start, i, i + 1);
        return;
      } else if (c == '{' && depth == 0 && header) {
        finish(Kind.HEADER, start, i, i);
        return;
      } else if (c == '(' || c == '{' || c == '[') {
        depth++;
      } else if (c == ')' || c == '}' || c == ']') {
        depth--;
      } else if (c == '.' && (text.startsWith(".entry", i) || text.startsWith(".func", i))) {
        header = true;
      }
      labelPossible &= Character.isLetterOrDigit(c) || c == '_' || c == '$' || c == '%';
    }
    String rest = text.substring(start, Math.min(text.length(), start + 80)).strip();
    throw PtxException.at(line, rest, "statement without end");
  }

  private void finish(Kind kind, int start, int end, int next) {
    int startLine = line;
    add(kind, start, end, startLine);
    countLines(start, next);
    position = next;
  }

  private void add(Kind kind, int start, int end, int atLine) {
    String body = text.substring(start, end).replaceAll("\\s+", " ").strip();
    statements.add(new Statement(kind, body, atLine));
  }
}
