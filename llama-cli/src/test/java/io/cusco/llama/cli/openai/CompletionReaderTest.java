package io.cusco.llama.cli.openai;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.cusco.llama.Llama;
import io.cusco.llama.LlamaOptions;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.Message;
import io.cusco.llama.chat.ToolCall;
import io.cusco.llama.cli.demo.DemoModel;
import io.cusco.llama.cli.json.JsonValue;
import io.cusco.llama.engine.FinishReason;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.sampling.TokenLogprobs;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class CompletionReaderTest {
  private static final int CONTEXT = 256;
  private static Llama llama;
  private static CompletionReader reader;

  @BeforeAll
  static void open() {
    assumeTrue(DemoModel.numBytes().isPresent(), "this build has no bundled demo model");
    llama =
        Llama.open(
            DemoModel.open(), LlamaOptions.DEFAULT.withBackend("cpu").withContextLength(CONTEXT));
    reader = new CompletionReader(Engines.of(llama));
  }

  @AfterAll
  static void close() {
    if (llama != null) {
      llama.close();
    }
  }

  private static Completion chat(String fields) {
    String messages = "\"messages\":[{\"role\":\"user\",\"content\":\"Hi\"}]";
    return read(
        Endpoint.CHAT_COMPLETIONS, "{" + messages + (fields.isEmpty() ? "" : "," + fields) + "}");
  }

  private static Completion text(String fields) {
    return read(Endpoint.COMPLETIONS, "{" + fields + "}");
  }

  private static Completion read(Endpoint endpoint, String body) {
    return (Completion) reader.read(endpoint, JsonValue.parse(body), 42);
  }

  private static Request only(Completion completion) {
    assertThat(completion.requests()).hasSize(1);
    return completion.requests().getFirst();
  }

  /// The answer to a completion whose prompts have these samples, one prompt's after another's.
  private static String body(Completion completion, List<Generation.Result> results) {
    List<PromptAnswer> answers = new ArrayList<>();
    int first = 0;
    for (Request request : completion.requests()) {
      int end = first + request.samples();
      answers.add(PromptAnswer.of(results.subList(first, end)));
      first = end;
    }
    return switch (completion) {
      case ChatCompletion chat -> chat.body("x", 99, answers);
      case TextCompletion text -> text.body("x", 99, answers);
    };
  }

  private static ChatFormat format() {
    return llama.chatFormat().orElseThrow();
  }

  @Test
  void defaultsAreOpenAis() {
    Request chat = only(chat(""));
    assertThat(chat.sampling()).isEqualTo(SamplingParams.builder().temperature(1).seed(42).build());
    assertThat(chat.stop())
        .isEqualTo(new StopConditions(CONTEXT, format().stopTokenIds(), List.of(), false));
    assertThat(chat.samples()).isEqualTo(1);
    assertThat(chat.promptIds()).containsExactly(format().encode(List.of(Message.user("Hi"))));
    Request text = only(text("\"prompt\":\"Hi\""));
    assertThat(text.sampling()).isEqualTo(chat.sampling());
    assertThat(text.stop()).isEqualTo(StopConditions.maxTokens(16));
    assertThat(text.promptIds()).containsExactly(llama.encodePrompt("Hi"));
  }

  @Test
  void everyFieldReachesTheRequest() {
    String shared =
        """
        "model":"any","temperature":0.5,"top_p":0.9,"top_k":40,"min_p":0.05,"n":3,"seed":-7,
        "repetition_penalty":1.1,"presence_penalty":0.2,"frequency_penalty":-0.3,"stop":["a","bc"],
        "stop_token_ids":[5,6],"logit_bias":{"13":-100,"7":2.5},"ignore_eos":true,"stream":false,
        "user":"u","metadata":{"k":"v"},"response_format":{"type":"text"},"best_of":null\
        """;
    SamplingParams.Builder expected =
        SamplingParams.builder()
            .temperature(0.5)
            .topP(0.9)
            .topK(40)
            .minP(0.05)
            .seed(-7)
            .repetitionPenalty(1.1)
            .presencePenalty(0.2)
            .frequencyPenalty(-0.3)
            .logitBias(Map.of(13, -100f, 7, 2.5f));
    Request chat =
        only(
            chat(
                shared
                    + ",\"max_tokens\":9,\"max_completion_tokens\":8,\"logprobs\":true,\"top_logprobs\":4"));
    assertThat(chat.sampling()).isEqualTo(expected.logprobs(4).build());
    assertThat(chat.stop())
        .isEqualTo(new StopConditions(8, List.of(5, 6), List.of("a", "bc"), true));
    assertThat(chat.samples()).isEqualTo(3);
    Request text = only(text(shared + ",\"prompt\":\"x\",\"max_tokens\":9,\"logprobs\":2"));
    assertThat(text.sampling()).isEqualTo(expected.logprobs(2).build());
    assertThat(text.stop())
        .isEqualTo(new StopConditions(9, List.of(5, 6), List.of("a", "bc"), true));
    assertThat(text.samples()).isEqualTo(3);
  }

  @Test
  void nullIsAsGoodAsNothing() {
    Request request =
        only(
            chat(
                "\"temperature\":null,\"stop\":null,\"n\":null,\"seed\":null,\"logit_bias\":null,"
                    + "\"tools\":null,\"tool_choice\":null,\"logprobs\":null,\"suffix\":null"));
    assertThat(request).isEqualTo(only(chat("")));
  }

  @Test
  void aStopStringMayStandAlone() {
    assertThat(only(chat("\"stop\":\"END\"")).stop().stopStrings()).containsExactly("END");
    assertThat(only(chat("\"stop\":[]")).stop().stopStrings()).isEmpty();
  }

  @Test
  void topKOfMinusOneIsOff() {
    assertThat(only(chat("\"top_k\":-1")).sampling().topK()).isZero();
  }

  @Test
  void promptsComeInFourForms() {
    int[] a = llama.encodePrompt("a");
    int[] b = llama.encodePrompt("b");
    assertThat(text("\"prompt\":[\"a\",\"b\"]").requests())
        .extracting(Request::promptIds)
        .containsExactly(a, b);
    assertThat(only(text("\"prompt\":[1,2,3]")).promptIds()).containsExactly(1, 2, 3);
    assertThat(text("\"prompt\":[[1,2],[3]]").requests())
        .extracting(Request::promptIds)
        .containsExactly(new int[] {1, 2}, new int[] {3});
  }

  @Test
  void rolesAndPartsBecomeMessages() {
    Completion read =
        read(
            Endpoint.CHAT_COMPLETIONS,
            """
            {"messages":[
              {"role":"developer","content":"Be kind."},
              {"role":"user","name":"Ann","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]},
              {"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function",
                "function":{"name":"f","arguments":"{\\"x\\":1}"}}]},
              {"role":"tool","tool_call_id":"c1","content":"2"},
              {"role":"assistant","content":"It is 2.","tool_calls":[]},
              {"role":"user","content":"Thanks"}]}
            """);
    assertThat(only(read).promptIds())
        .containsExactly(
            format()
                .encode(
                    List.of(
                        Message.system("Be kind."),
                        Message.user("a\nb"),
                        Message.assistant("", List.of(new ToolCall("f", "{\"x\":1}"))),
                        Message.tool("2"),
                        Message.assistant("It is 2."),
                        Message.user("Thanks"))));
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"temperature\":\"hot\" | temperature | temperature must be a number from 0 to 2, got \"hot\"",
        "\"temperature\":2.5 | temperature | temperature must be a number from 0 to 2, got 2.5",
        "\"temperature\":1e999 | temperature | temperature must be a number from 0 to 2, got 1e999",
        "\"top_p\":0 | top_p | top_p must be above 0, got 0",
        "\"top_p\":1.1 | top_p | top_p must be a number from 0 to 1, got 1.1",
        "\"min_p\":-1 | min_p | min_p must be a number from 0 to 1, got -1",
        "\"top_k\":1.5 | top_k | top_k must be a whole number from -1 on, got 1.5",
        "\"n\":0 | n | n must be a whole number from 1 to 128, got 0",
        "\"n\":129 | n | n must be a whole number from 1 to 128, got 129",
        "\"max_tokens\":0 | max_tokens | max_tokens must be a whole number from 1 on, got 0",
        "\"max_tokens\":2147483648 | max_tokens | max_tokens must be a whole number from 1 to 2147483647, got 2147483648",
        "\"max_completion_tokens\":true | max_completion_tokens | max_completion_tokens must be a whole number from 1 on, got true",
        "\"seed\":1e40 | seed | seed must be a whole number of 64 bits, got 1e40",
        "\"stop\":7 | stop | stop must be a string or a list of strings, got 7",
        "\"stop\":[\"a\",\"\"] | stop[1] | stop[1] must be a text that is not empty, got \"\"",
        "\"stop_token_ids\":[-1] | stop_token_ids[0] | stop_token_ids[0] must be a whole number from 0 on, got -1",
        "\"logit_bias\":{\"x\":1} | logit_bias | logit_bias must have token ids as names, got \"x\"",
        "\"logit_bias\":{\"5\":101} | logit_bias.5 | logit_bias.5 must be a number from -100 to 100, got 101",
        "\"logit_bias\":[] | logit_bias | logit_bias must be an object, got a list of 0",
        "\"presence_penalty\":3 | presence_penalty | presence_penalty must be a number from -2 to 2, got 3",
        "\"frequency_penalty\":-3 | frequency_penalty | frequency_penalty must be a number from -2 to 2, got -3",
        "\"repetition_penalty\":0 | repetition_penalty | repetition_penalty must be above 0, got 0",
        "\"logprobs\":1 | logprobs | logprobs must be true or false, got 1",
        "\"logprobs\":true,\"top_logprobs\":101 | top_logprobs | top_logprobs must be a whole number from 0 to 100, got 101",
        "\"top_logprobs\":1 | top_logprobs | top_logprobs needs \"logprobs\": true, got 1",
        "\"ignore_eos\":\"yes\" | ignore_eos | ignore_eos must be true or false, got \"yes\"",
        "\"tool_choice\":\"required\" | tool_choice | tool_choice must be \"auto\" or \"none\", a call cannot be enforced, got \"required\"",
        "\"tools\":[{\"type\":\"retrieval\"}] | tools[0].type | tools[0].type must be \"function\", got \"retrieval\"",
        "\"tools\":[{\"type\":\"function\"}] | tools[0].function | tools[0].function must be an object, got null or nothing",
        "\"response_format\":{\"type\":\"json_object\"} | response_format | response_format is not offered; leave it out, or say {\"type\":\"text\"}",
        "\"min_tokens\":5 | min_tokens | min_tokens is not offered; leave it out, or say 0",
        "\"prompt_logprobs\":1 | prompt_logprobs | prompt_logprobs is not offered; leave it out",
        "\"functions\":[{}] | functions | functions is not offered; leave it out, or say []"
      })
  void wrongChatFieldsAreNamed(String fields, String param, String message) {
    assertRefused(() -> chat(fields), param, message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"messages\":[] | messages must be a list of one message or more, got a list of 0",
        "\"messages\":\"Hi\" | messages must be a list, got \"Hi\"",
        "\"prompt\":\"Hi\" | messages must be a list, got null or nothing",
        "\"messages\":[7] | messages[0] must be an object, got 7",
        "\"messages\":[{\"content\":\"x\"}] | messages[0].role must be a string, got null or nothing",
        "\"messages\":[{\"role\":\"wizard\",\"content\":\"x\"}] | messages[0].role must be one of system, developer, user, assistant, tool, got \"wizard\"",
        "\"messages\":[{\"role\":\"user\"}] | messages[0].content must be a string or a list of text parts, got null or nothing",
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}] | messages[0].content[0].type must be \"text\", this is a model of text alone, got \"image_url\"",
        "\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\"}}]}] | messages[0].tool_calls[0].function.arguments must be the text of a JSON object, got \"{\"",
        "\"messages\":[{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"[]\"}}]}] | messages[0].tool_calls[0].function.arguments must be the text of a JSON object, got \"[]\""
      })
  void wrongMessagesAreNamed(String body, String message) {
    assertThatThrownBy(() -> read(Endpoint.CHAT_COMPLETIONS, "{" + body + "}"))
        .isInstanceOf(ApiException.class)
        .hasMessage(message);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "\"prompt\":[] | prompt must be a string, a list of strings, token ids, or a list of lists of token ids, got a list of 0",
        "\"prompt\":7 | prompt must be a string, a list of strings, token ids, or a list of lists of token ids, got 7",
        "\"prompt\":[1,\"a\"] | prompt[1] must be a whole number from 0 on, got \"a\"",
        "\"prompt\":[\"a\",1] | prompt[1] must be a string, got 1",
        "\"prompt\":[[1],[-2]] | prompt[1][0] must be a whole number from 0 on, got -2",
        "\"prompt\":\"a\",\"logprobs\":true | logprobs must be a whole number from 0 to 100, got true",
        "\"prompt\":\"a\",\"best_of\":129 | best_of must be a whole number from 1 to 128, got 129",
        "\"prompt\":\"a\",\"n\":4,\"best_of\":3 | best_of must be n = 4 or more, the choices are the best of them, got 3",
        "\"prompt\":\"a\",\"max_tokens\":0 | max_tokens must be a whole number from 1 on, got 0",
        "\"prompt\":\"a\",\"suffix\":\"b\" | suffix is not offered; leave it out, or say \"\""
      })
  void wrongTextFieldsAreNamed(String body, String message) {
    assertThatThrownBy(() -> text(body)).isInstanceOf(ApiException.class).hasMessage(message);
  }

  private static void assertRefused(ThrowingCallable call, String param, String message) {
    assertThatThrownBy(call)
        .isInstanceOfSatisfying(
            ApiException.class,
            e -> {
              assertThat(e.status()).isEqualTo(400);
              assertThat(e.toJson())
                  .contains("\"type\":\"invalid_request_error\",\"param\":\"%s\"".formatted(param));
            })
        .hasMessage(message);
  }

  @Test
  void aPromptWithoutRoomIsToldFromOthers() {
    String ids = "1,".repeat(CONTEXT - 1) + "1";
    assertThatThrownBy(() -> text("\"prompt\":[" + ids + "]"))
        .isInstanceOfSatisfying(
            ApiException.class, e -> assertThat(e.code()).hasValue("context_length_exceeded"))
        .hasMessageStartingWith("prompt has 256 tokens, which leaves no room in a context of 256");
  }

  @Test
  void tooManyChoicesAreRefused() {
    String prompts = "[1],".repeat(16) + "[1]";
    assertThatThrownBy(() -> text("\"prompt\":[" + prompts + "],\"n\":128"))
        .hasMessage("17 prompts with n = 128 make more than 2048 choices; use several requests");
    String more = "[1],".repeat(2048) + "[1]";
    assertThatThrownBy(() -> text("\"prompt\":[" + more + "]"))
        .hasMessageContaining("at most 2048 prompts");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'' | input must be a string, a list of strings, token ids, or a list of lists of token ids, got null or nothing",
        "\"input\":[] | input must be a string, a list of strings, token ids, or a list of lists of token ids, got a list of 0",
        "\"input\":[\"a\",7] | input[1] must be a string, got 7",
        "\"input\":\"a\",\"encoding_format\":\"hex\" | encoding_format must be \"float\" or \"base64\", got \"hex\"",
        "\"input\":\"a\",\"encoding_format\":1 | encoding_format must be \"float\" or \"base64\", got 1",
        "\"input\":\"a\",\"pooling\":\"cls\" | pooling must be \"last\" or \"mean\", got \"cls\"",
        "\"input\":\"a\",\"normalize\":1 | normalize must be true or false, got 1",
        "\"input\":\"a\",\"dimensions\":0 | dimensions must be a whole number from 1 on, got 0"
      })
  void wrongEmbeddingFieldsAreNamed(String body, String message) {
    assertThatThrownBy(
            () -> reader.read(Endpoint.EMBEDDINGS, JsonValue.parse("{" + body + "}"), 42))
        .isInstanceOf(ApiException.class)
        .hasMessage(message);
  }

  @Test
  void dimensionsAreThoseOfTheModel() {
    int size = llama.config().hiddenSize();
    String body = "{\"input\":\"a\",\"dimensions\":%d}";
    assertThat(reader.read(Endpoint.EMBEDDINGS, JsonValue.parse(body.formatted(size)), 42))
        .isInstanceOf(EmbeddingRequest.class);
    assertThatThrownBy(
            () -> reader.read(Endpoint.EMBEDDINGS, JsonValue.parse(body.formatted(size - 1)), 42))
        .hasMessageContaining("dimensions must be left out or %d".formatted(size));
  }

  @Test
  void bestOfDrawsMoreCandidatesThanThereAreChoices() {
    Request request = only(text("\"prompt\":\"a\",\"n\":2,\"best_of\":5"));
    assertThat(request.samples()).isEqualTo(5);
    assertThat(request.sampling().logprobs()).isZero(); // for the ranking; not shown
    assertThat(only(chat("\"n\":2,\"best_of\":5,\"logprobs\":true,\"top_logprobs\":3")))
        .satisfies(chat -> assertThat(chat.samples()).isEqualTo(5))
        .satisfies(chat -> assertThat(chat.sampling().logprobs()).isEqualTo(3));
    assertThat(only(text("\"prompt\":\"a\",\"best_of\":1")).sampling().wantsLogprobs()).isFalse();
    assertThatThrownBy(
            () -> text("\"prompt\":[%s\"a\"],\"best_of\":128".formatted("\"a\",".repeat(16))))
        .hasMessageContaining("17 prompts with best_of = 128 make more than 2048 choices");
  }

  @Test
  void aTextAnswerIsGolden() {
    Completion completion = text("\"prompt\":[\"a\",\"b\"],\"n\":2,\"echo\":true");
    List<Generation.Result> results = new ArrayList<>();
    for (String text : List.of("1", "2", "3", "4")) {
      results.add(result(text, FinishReason.LENGTH, List.of(), 7, 8));
    }
    assertThat(body(completion, results))
        .isEqualTo(
            """
            {"id":"cmpl-x","object":"text_completion","created":99,"model":"cusco-demo-stories",\
            "choices":[{"index":0,"text":"a1","logprobs":null,"finish_reason":"length"},\
            {"index":1,"text":"a2","logprobs":null,"finish_reason":"length"},\
            {"index":2,"text":"b3","logprobs":null,"finish_reason":"length"},\
            {"index":3,"text":"b4","logprobs":null,"finish_reason":"length"}],\
            "usage":{"prompt_tokens":4,"completion_tokens":8,"total_tokens":12,\
            "prompt_tokens_details":{"cached_tokens":2}}}\
            """);
  }

  @Test
  void logprobsComeInBothForms() {
    int a = llama.tokenizer().encode("a")[0];
    int b = llama.tokenizer().encode("b")[0];
    int end = format().stopTokenIds().getFirst();
    List<TokenLogprobs> logprobs =
        List.of(
            new TokenLogprobs(a, -0.5f, new int[] {b, a}, new float[] {-0.25f, -0.5f}),
            new TokenLogprobs(b, Float.NEGATIVE_INFINITY, new int[] {a}, new float[] {-0.125f}),
            new TokenLogprobs(end, -1f, new int[] {end}, new float[] {-1f}));
    Generation.Result result = result("ab", FinishReason.STOP, logprobs, a, b, end);
    assertThat(body(text("\"prompt\":\"x\",\"logprobs\":2"), List.of(result)))
        .contains(
            """
            "logprobs":{"tokens":["a","b"],"token_logprobs":[-0.5,-9999.0],\
            "top_logprobs":[{"b":-0.25,"a":-0.5},{"a":-0.125,"b":-9999.0}],"text_offset":[0,1]}\
            """);
    assertThat(body(chat("\"logprobs\":true,\"top_logprobs\":2"), List.of(result)))
        .isEqualTo(
            """
            {"id":"chatcmpl-x","object":"chat.completion","created":99,"model":"cusco-demo-stories",\
            "choices":[{"index":0,"message":{"role":"assistant","content":"ab","refusal":null},\
            "logprobs":{"content":[{"token":"a","logprob":-0.5,"bytes":[97],"top_logprobs":[\
            {"token":"b","logprob":-0.25,"bytes":[98]},{"token":"a","logprob":-0.5,"bytes":[97]}]},\
            {"token":"b","logprob":-9999.0,"bytes":[98],"top_logprobs":[\
            {"token":"a","logprob":-0.125,"bytes":[97]}]}],"refusal":null},\
            "finish_reason":"stop"}],"usage":{"prompt_tokens":2,"completion_tokens":3,\
            "total_tokens":5,"prompt_tokens_details":{"cached_tokens":1}}}\
            """);
  }

  @Test
  void aReplyIsAToolCallOnlyWhereThereAreTools() {
    int[] call = llama.tokenizer().encode("{\"name\": \"f\", \"parameters\": {\"x\": 1}}");
    int[] ids = Arrays.copyOf(call, call.length + 1);
    ids[call.length] = format().stopTokenIds().getFirst();
    Generation.Result result = result("{...}", FinishReason.STOP, List.of(), ids);
    Completion withTools =
        new ChatCompletion(
            "m", format(), true, Optional.empty(), ((ChatCompletion) chat("")).job());
    assertThat(body(withTools, List.of(result)))
        .contains(
            """
            "message":{"role":"assistant","content":null,"refusal":null,"tool_calls":[\
            {"id":"call_x-0-0","type":"function","function":{"name":"f",\
            "arguments":"{\\"x\\": 1}"}}]},"logprobs":null,"finish_reason":"tool_calls\"\
            """);
    assertThat(body(chat(""), List.of(result)))
        .contains("\"content\":\"{...}\"", "\"finish_reason\":\"stop\"")
        .doesNotContain("tool_calls");
    Generation.Result cut = result("{...}", FinishReason.LENGTH, List.of(), call);
    assertThat(body(withTools, List.of(cut))).contains("\"finish_reason\":\"length\"");
  }

  private static Generation.Result result(
      String text, FinishReason reason, List<TokenLogprobs> logprobs, int... ids) {
    return new Generation.Result(
        List.of(1, 2),
        1,
        Arrays.stream(ids).boxed().toList(),
        text,
        reason,
        logprobs,
        new Generation.Timings(0, 0, 0));
  }
}
