package io.cusco.llama.tokenizer;

import io.cusco.llama.checkpoint.CheckpointException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/// Reads the tokenizer files that stand beside a checkpoint. (GGUF files hold their vocabulary as
/// metadata: see [SentencePieceTokenizer#of] and [ByteBpeTokenizer#of].)
public final class TokenizerFiles {
  /// Larger than any published tokenizer file (Llama 3's tokenizer.json has 17 MB as published).
  private static final long MAX_FILE_SIZE = 256L << 20;

  private TokenizerFiles() {}

  /// Reads a tokenizer file of any kind, told apart by its content: Hugging Face's
  /// `tokenizer.json`, a SentencePiece model, or tiktoken ranks (both called `tokenizer.model`).
  ///
  /// @throws CheckpointException if the file is missing, damaged, or not a Llama's
  public static Tokenizer read(Path file) {
    return read(file, TokenRoles.UNSTATED);
  }

  /// As [#read(Path)]; what `roles` states (say, from `tokenizer_config.json`) wins over what the
  /// file suggests.
  public static Tokenizer read(Path file, TokenRoles roles) {
    byte[] content = contentOf(file);
    String source = file.toString();
    int first = firstByte(content);
    // A SentencePiece model begins with the tag of its first piece (field 1, length-delimited).
    if (content[0] == SentencePieceReader.PIECE_TAG) {
      return SentencePieceReader.read(source, content).toTokenizer(roles);
    }
    return first == '{'
        ? TokenizerJsonReader.read(source, content, roles)
        : TiktokenReader.read(source, content, roles);
  }

  /// Reads Hugging Face's `tokenizer.json`: byte-level BPE with Llama 3's word pattern, or BPE over
  /// characters with byte fallback as Llama 2 has it.
  ///
  /// @throws CheckpointException if the file is missing, damaged, or of another kind
  public static Tokenizer readTokenizerJson(Path file) {
    return TokenizerJsonReader.read(file.toString(), contentOf(file), TokenRoles.UNSTATED);
  }

  /// Reads a SentencePiece model (`tokenizer.model` of Llama 2 and Code Llama).
  ///
  /// @throws CheckpointException if the file is missing, damaged, or no BPE model
  public static SentencePieceTokenizer readSentencePiece(Path file) {
    return SentencePieceReader.read(file.toString(), contentOf(file))
        .toTokenizer(TokenRoles.UNSTATED);
  }

  /// Reads tiktoken ranks (`tokenizer.model` of Llama 3) and adds Llama 3's 256 special tokens.
  ///
  /// @throws CheckpointException if the file is missing or damaged
  public static ByteBpeTokenizer readTiktoken(Path file) {
    return TiktokenReader.read(file.toString(), contentOf(file), TokenRoles.UNSTATED);
  }

  private static byte[] contentOf(Path file) {
    try {
      long size = Files.size(file);
      if (size > MAX_FILE_SIZE) {
        throw new CheckpointException(
            "%s: %d bytes are too many for a tokenizer file (at most %d)"
                .formatted(file, size, MAX_FILE_SIZE));
      }
      byte[] content = Files.readAllBytes(file);
      if (content.length == 0) {
        throw new CheckpointException(file + ": the tokenizer file is empty; fetch it again");
      }
      return content;
    } catch (NoSuchFileException e) {
      throw new CheckpointException(file + ": there is no such tokenizer file", e);
    } catch (IOException e) {
      throw new CheckpointException(file + ": the tokenizer file cannot be read: " + e, e);
    }
  }

  private static int firstByte(byte[] content) {
    int at = 0;
    while (at < content.length - 1 && Character.isWhitespace(content[at])) {
      at++;
    }
    return content[at];
  }
}
