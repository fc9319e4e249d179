package io.cusco.llama;

import io.cusco.llama.backend.Backend;
import io.cusco.llama.backend.Backends;
import io.cusco.llama.backend.ModelOptions;
import io.cusco.llama.chat.ChatFormat;
import io.cusco.llama.chat.Message;
import io.cusco.llama.checkpoint.Checkpoint;
import io.cusco.llama.checkpoint.CheckpointException;
import io.cusco.llama.config.LlamaConfig;
import io.cusco.llama.engine.Engine;
import io.cusco.llama.engine.Generation;
import io.cusco.llama.engine.Request;
import io.cusco.llama.model.LlamaModel;
import io.cusco.llama.sampling.SamplingParams;
import io.cusco.llama.sampling.StopConditions;
import io.cusco.llama.tokenizer.SpecialTokens;
import io.cusco.llama.tokenizer.Tokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A checkpoint opened on a backend, ready to generate: the five-line use of this library.
///
/// ```java
/// try (Llama llama = Llama.open(Path.of("model.gguf"))) {
///   System.out.println(llama.generate("Once upon a time"));
/// }
/// ```
///
/// All methods are safe to call from several threads; their requests share the batch, and the keys
/// and values of what they begin with alike. For several samples of a prompt, for many requests and
/// for what is going on there is [#engine()]. Closing cancels what runs and frees the model, the
/// device and the file mapping.
public final class Llama implements AutoCloseable {
  /// Tokens that [#generate(String)] and [#chat(List)] generate at most.
  public static final int DEFAULT_MAX_TOKENS = 256;

  private static final Logger LOG = LoggerFactory.getLogger(Llama.class);

  private final Checkpoint checkpoint;
  private final Backend backend;
  private final Engine engine;
  private final int contextLength;

  private Llama(Checkpoint checkpoint, Backend backend, Engine engine, int contextLength) {
    this.checkpoint = checkpoint;
    this.backend = backend;
    this.engine = engine;
    this.contextLength = contextLength;
  }

  /// Opens a `.gguf` file, a Hugging Face folder or a Meta folder with the defaults.
  public static Llama open(Path path) {
    return open(path, LlamaOptions.DEFAULT);
  }

  /// Opens a `.gguf` file, a Hugging Face folder or a Meta folder.
  ///
  /// @throws LlamaException if the checkpoint cannot be read or no backend can run it
  public static Llama open(Path path, LlamaOptions options) {
    return open(Checkpoint.open(path), options);
  }

  /// Takes over an opened checkpoint; it is closed with this object, or at once if opening fails.
  public static Llama open(Checkpoint checkpoint, LlamaOptions options) {
    Backend backend = null;
    LlamaModel model = null;
    try {
      int contextLength = contextLength(checkpoint, options);
      Optional<Tokenizer> tokenizer = tokenizerOf(checkpoint);
      List<Integer> endOfGeneration = endOfGeneration(checkpoint, tokenizer);
      backend = Backends.open(options.backend(), options.backendOptions());
      model =
          backend.load(
              checkpoint.config(),
              checkpoint.weights(),
              ModelOptions.of(options.compute(), contextLength, options.maxSequences())
                  .withProgress(options.loadProgress())
                  .withDeterministic(options.deterministic())
                  .withKvType(options.kvType()));
      Engine engine = new Engine(model, tokenizer, endOfGeneration, options.engine());
      return new Llama(checkpoint, backend, engine, contextLength);
    } catch (RuntimeException | Error e) {
      closeAll(e, model, backend, checkpoint);
      throw e;
    }
  }

  /// Closes what was opened, in the order given, each even if one before it fails.
  private static void closeAll(Throwable reason, AutoCloseable... opened) {
    for (AutoCloseable each : opened) {
      try {
        if (each != null) {
          each.close();
        }
      } catch (Exception e) {
        reason.addSuppressed(e);
      }
    }
  }

  public Checkpoint checkpoint() {
    return checkpoint;
  }

  public LlamaConfig config() {
    return checkpoint.config();
  }

  public Tokenizer tokenizer() {
    return checkpoint.tokenizer();
  }

  public Backend backend() {
    return backend;
  }

  public Engine engine() {
    return engine;
  }

  /// Positions one sequence may have, prompt and output together.
  public int contextLength() {
    return contextLength;
  }

  /// The prompt's ids: begin-of-text where the model wants it, then the text, in which nothing can
  /// become a control token.
  public int[] encodePrompt(String prompt) {
    int[] text = tokenizer().encode(prompt);
    OptionalInt bos = bosTokenId();
    if (bos.isEmpty()) {
      return text;
    }
    int[] ids = new int[text.length + 1];
    ids[0] = bos.getAsInt();
    System.arraycopy(text, 0, ids, 1, text.length);
    return ids;
  }

  /// Continues `prompt` with the most likely tokens, to the model's own end or
  /// [#DEFAULT_MAX_TOKENS].
  public String generate(String prompt) {
    return submit(
            new Request(
                encodePrompt(prompt),
                SamplingParams.GREEDY,
                StopConditions.maxTokens(DEFAULT_MAX_TOKENS)))
        .await()
        .text();
  }

  /// The assistant's answer to a conversation, most likely tokens, at most [#DEFAULT_MAX_TOKENS].
  ///
  /// @throws LlamaException if the checkpoint is not a chat model
  public String chat(List<Message> messages) {
    return chat(messages, SamplingParams.GREEDY, StopConditions.maxTokens(DEFAULT_MAX_TOKENS))
        .await()
        .text();
  }

  /// Starts the assistant's answer to a conversation; it ends with the assistant's turn.
  ///
  /// @throws LlamaException if the checkpoint is not a chat model
  public Generation chat(List<Message> messages, SamplingParams sampling, StopConditions stop) {
    ChatFormat format =
        chatFormat()
            .orElseThrow(() ->
                new LlamaException(
                    "%s: no chat template that is known here; use generate with a prompt of your own"
                        .formatted(checkpoint.source())));
    List<Integer> stopIds = new ArrayList<>(stop.stopTokenIds());
    stopIds.addAll(format.stopTokenIds());
    return submit(
        new Request(
            format.encode(messages),
            sampling,
            new StopConditions(stop.maxTokens(), stopIds, stop.stopStrings(), stop.ignoreEos())));
  }

  /// How this checkpoint was trained to chat, if it was.
  public Optional<ChatFormat> chatFormat() {
    return ChatFormat.of(checkpoint);
  }

  /// Queues a request; see [Engine#submit]. For several samples of one prompt there is
  /// [Engine#submitSamples], for many requests [Engine#run].
  public Generation submit(Request request) {
    return engine.submit(request);
  }

  /// Idempotent. Waits for the step under way, because it reads the file's mapping.
  ///
  /// @throws IllegalStateException in a [io.cusco.llama.engine.LogitsSink], which is part of a
  ///   step: the weights would go while they are read
  @Override
  public void close() {
    if (engine.isEngineThread()) {
      throw new IllegalStateException(
          "%s: close was called in a sink, on the engine thread, which it waits for; close on another"
              .formatted(checkpoint.source()));
    }
    try (checkpoint;
        backend) {
      engine.close();
    }
  }

  private OptionalInt bosTokenId() {
    SpecialTokens special = tokenizer().specialTokens();
    if (!special.addBos()) {
      return OptionalInt.empty();
    }
    return checkpoint.bosTokenId().isPresent() ? checkpoint.bosTokenId() : special.bos();
  }

  private static int contextLength(Checkpoint checkpoint, LlamaOptions options) {
    int declared = checkpoint.config().maxPositionEmbeddings();
    if (options.contextLength().isEmpty()) {
      return Math.min(declared, LlamaOptions.DEFAULT_MAX_CONTEXT);
    }
    int wanted = options.contextLength().getAsInt();
    if (wanted > declared) {
      throw new LlamaException(
          "%s: context length %d is more than the %d positions the model was made for"
              .formatted(checkpoint.source(), wanted, declared));
    }
    return wanted;
  }

  /// A checkpoint without a tokenizer still runs on ids.
  private static Optional<Tokenizer> tokenizerOf(Checkpoint checkpoint) {
    try {
      return Optional.of(checkpoint.tokenizer());
    } catch (CheckpointException e) {
      LOG.warn("{}: token ids only, no text: {}", checkpoint.source(), e.getMessage());
      return Optional.empty();
    }
  }

  private static List<Integer> endOfGeneration(
      Checkpoint checkpoint, Optional<Tokenizer> tokenizer) {
    List<Integer> ids = new ArrayList<>(checkpoint.eosTokenIds());
    tokenizer.ifPresent(t ->
        t.specialTokens().endOfGeneration().stream()
            .filter(id -> !ids.contains(id))
            .forEach(ids::add));
    return List.copyOf(ids);
  }
}
