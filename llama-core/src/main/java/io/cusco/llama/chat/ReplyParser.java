package io.cusco.llama.chat;

import io.cusco.llama.tokenizer.Tokenizer;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.StringJoiner;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.json.JsonFactory;

/// Reads the tool calls of a Llama 3 reply, in each form that the models write them:
///
/// ```
/// <|python_tag|>print(1)                          code_interpreter
/// brave_search.call(query="...")                  built-in tools, after <|python_tag|> or alone
/// {"name": "f", "parameters": {"x": 1}}           with or without "type"; "arguments" also passes
/// <function=f>{"x": 1}</function>                 the end tag may be missing
/// [f(x=1), g()]                                   see PythonCallParser
/// ```
///
/// A reply is a call only as a whole; anything else is text. Structure is told by token ids, so
/// text cannot pose as `<|python_tag|>`.
///
/// Written after llama-models' `ToolUtils`, with these differences: `"arguments"` passes for
/// `"parameters"`, as some fine-tuned models write; a call whose arguments are not an object is
/// text; malformed input is text, where the reference may raise.
final class ReplyParser {
  private static final Pattern BUILTIN_CALL =
      Pattern.compile("(\\w+)\\.call\\((\\w+=\".*)\"\\)", Pattern.DOTALL);

  /// Between two arguments. Values are written raw, so a quote inside one ends nothing by itself.
  private static final Pattern NEXT_ARGUMENT = Pattern.compile("\", (?=\\w+=\")");

  private static final Pattern FUNCTION_TAG =
      Pattern.compile("<function=([^<>{}]+)>(\\{.*\\})(?:</function>)?", Pattern.DOTALL);
  private static final JsonFactory JSON = new JsonFactory();

  private final Tokenizer tokenizer;
  private final Llama3Tokens tokens;

  ReplyParser(Tokenizer tokenizer, Llama3Tokens tokens) {
    this.tokenizer = tokenizer;
    this.tokens = tokens;
  }

  Message parse(int... ids) {
    boolean endOfMessage =
        ids.length > 0 && tokens.endOfMessage().equals(OptionalInt.of(ids[ids.length - 1]));
    int from = startOfContent(ids);
    boolean tagged = from < ids.length && tokens.pythonTag().equals(OptionalInt.of(ids[from]));
    String text = tokenizer.decode(Arrays.copyOfRange(ids, from, ids.length));
    if (from > 0 && text.startsWith("\n\n")) {
      text = text.substring(2);
    }
    List<ToolCall> calls = tagged ? taggedCalls(text) : calls(PythonText.strip(text));
    return new Message(Role.ASSISTANT, calls.isEmpty() ? text : "", calls, endOfMessage, false);
  }

  /// The first token after a header, where there is one.
  private int startOfContent(int[] ids) {
    if (ids.length == 0 || ids[0] != tokens.startHeader()) {
      return 0;
    }
    for (int i = 1; i < ids.length; i++) {
      if (ids[i] == tokens.endHeader()) {
        return i + 1;
      }
    }
    return 0;
  }

  private static List<ToolCall> taggedCalls(String text) {
    String code = PythonText.strip(text);
    Matcher builtin = BUILTIN_CALL.matcher(code);
    if (builtin.matches()) {
      return List.of(builtinCall(builtin));
    }
    Optional<ToolCall> call = code.startsWith("{") ? jsonCall(code) : Optional.empty();
    return List.of(
        call.orElseGet(() ->
            new ToolCall(
                BuiltinTools.CODE_INTERPRETER,
                "{\"code\": %s}".formatted(PythonJson.quote(text, PythonJson.PLAIN)))));
  }

  private static List<ToolCall> calls(String text) {
    if (text.isEmpty()) {
      return List.of();
    }
    return switch (text.charAt(0)) {
      case '{' -> jsonCall(text).stream().toList();
      case '<' -> functionTag(text).stream().toList();
      case '[' -> PythonCallParser.parse(text);
      default -> {
        Matcher builtin = BUILTIN_CALL.matcher(text);
        yield builtin.matches() && BuiltinTools.QUERY_TOOLS.contains(builtin.group(1))
            ? List.of(builtinCall(builtin))
            : List.of();
      }
    };
  }

  private static ToolCall builtinCall(Matcher call) {
    StringJoiner arguments = new StringJoiner(", ", "{", "}");
    for (String argument : NEXT_ARGUMENT.split(call.group(2), -1)) {
      int equals = argument.indexOf("=\"");
      arguments.add(
          PythonJson.quote(argument.substring(0, equals), PythonJson.PLAIN)
              + ": "
              + PythonJson.quote(argument.substring(equals + 2), PythonJson.PLAIN));
    }
    return new ToolCall(call.group(1), arguments.toString());
  }

  private static Optional<ToolCall> functionTag(String text) {
    Matcher tag = FUNCTION_TAG.matcher(text);
    if (!tag.matches()) {
      return Optional.empty();
    }
    try {
      PythonJson.requireObject("the arguments", tag.group(2));
      return Optional.of(
          new ToolCall(tag.group(1), PythonJson.write(tag.group(2), PythonJson.PLAIN)));
    } catch (IllegalArgumentException e) {
      // Not JSON after all, so it is text.
      return Optional.empty();
    }
  }

  private static Optional<ToolCall> jsonCall(String text) {
    String name = "";
    StringBuilder arguments = new StringBuilder();
    try (JsonParser parser = JSON.createParser(ObjectReadContext.empty(), text)) {
      parser.nextToken();
      for (String key = parser.nextName(); key != null; key = parser.nextName()) {
        JsonToken value = parser.nextToken();
        if (key.equals("name") && value == JsonToken.VALUE_STRING) {
          name = parser.getString();
        } else if ((key.equals("parameters") || key.equals("arguments"))
            && value == JsonToken.START_OBJECT
            && arguments.isEmpty()) {
          PythonJson.write(parser, PythonJson.PLAIN, 0, arguments);
        } else {
          parser.skipChildren();
        }
      }
      if (parser.nextToken() != null || name.isEmpty() || arguments.isEmpty()) {
        return Optional.empty();
      }
    } catch (JacksonException e) {
      // Not JSON after all, so it is text.
      return Optional.empty();
    }
    return Optional.of(new ToolCall(name, arguments.toString()));
  }
}
