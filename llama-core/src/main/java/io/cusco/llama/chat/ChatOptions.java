package io.cusco.llama.chat;

import java.time.Clock;
import java.time.ZoneId;
import java.util.List;
import java.util.Optional;

/// What a conversation is rendered with beside its messages; the names are those of the published
/// templates' variables. Start from [#DEFAULT] and change what matters.
///
/// @param tools descriptions of the tools the model may call, each the text of a JSON object as the
///   OpenAI API has it; formats without tools refuse them
/// @param toolsInUserMessage whether the first user message introduces the tools, or the system
///   message
/// @param builtinTools tools Llama 3.1 knows without a description ("brave_search",
///   "wolfram_alpha", "code_interpreter"); Llama 3.2's template takes no notice of them
/// @param date the day the system message states ("26 Jul 2024"); empty: the template's own
///   default, or today where it has none
/// @param clock tells today
/// @param addGenerationPrompt whether to end with the header of the assistant's next turn
/// @param toolPromptFormat how Meta's Llama 3 format writes calls; templates have one form
public record ChatOptions(
    List<String> tools,
    boolean toolsInUserMessage,
    List<String> builtinTools,
    Optional<String> date,
    Clock clock,
    boolean addGenerationPrompt,
    ToolPromptFormat toolPromptFormat) {

  public static final ChatOptions DEFAULT =
      new ChatOptions(
          List.of(),
          true,
          List.of(),
          Optional.empty(),
          Clock.system(ZoneId.systemDefault()),
          true,
          ToolPromptFormat.JSON);

  public ChatOptions {
    tools = List.copyOf(tools);
    builtinTools = List.copyOf(builtinTools);
    for (int i = 0; i < tools.size(); i++) {
      PythonJson.requireObject("tool " + i, tools.get(i));
    }
  }

  public ChatOptions withTools(List<String> descriptions) {
    return new ChatOptions(
        descriptions,
        toolsInUserMessage,
        builtinTools,
        date,
        clock,
        addGenerationPrompt,
        toolPromptFormat);
  }

  public ChatOptions withToolsInUserMessage(boolean inUserMessage) {
    return new ChatOptions(
        tools, inUserMessage, builtinTools, date, clock, addGenerationPrompt, toolPromptFormat);
  }

  public ChatOptions withBuiltinTools(List<String> names) {
    return new ChatOptions(
        tools, toolsInUserMessage, names, date, clock, addGenerationPrompt, toolPromptFormat);
  }

  public ChatOptions withDate(String day) {
    return new ChatOptions(
        tools,
        toolsInUserMessage,
        builtinTools,
        Optional.of(day),
        clock,
        addGenerationPrompt,
        toolPromptFormat);
  }

  public ChatOptions withClock(Clock today) {
    return new ChatOptions(
        tools,
        toolsInUserMessage,
        builtinTools,
        date,
        today,
        addGenerationPrompt,
        toolPromptFormat);
  }

  public ChatOptions withGenerationPrompt(boolean add) {
    return new ChatOptions(
        tools, toolsInUserMessage, builtinTools, date, clock, add, toolPromptFormat);
  }

  public ChatOptions withToolPromptFormat(ToolPromptFormat format) {
    return new ChatOptions(
        tools, toolsInUserMessage, builtinTools, date, clock, addGenerationPrompt, format);
  }
}
