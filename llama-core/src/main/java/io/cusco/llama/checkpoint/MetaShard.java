package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/// Reads one `consolidated.NN.pth`: a zip of one pickle, which names and shapes the tensors, and
/// one entry of raw bytes per storage.
///
/// ```
/// PREFIX/data.pkl    PREFIX/data/0    PREFIX/data/1 ...    PREFIX/byteorder ("little")
/// ```
final class MetaShard {
  private static final String PICKLE = "/data.pkl";

  private MetaShard() {}

  /// @throws CheckpointException if the file is damaged or asks for anything but tensors
  static TensorTable read(String file, MemorySegment bytes) {
    ZipDirectory zip = new ZipDirectory(file, bytes);
    String prefix = prefix(file, zip);
    zip.find(prefix + "/byteorder")
        .ifPresent(order -> {
          String text =
              new String(
                  new ByteCursor(file, order, 0)
                      .bytes((int) Math.min(order.byteSize(), 16), "byteorder"),
                  StandardCharsets.US_ASCII);
          if (!text.equals("little")) {
            throw new CheckpointException(
                "%s: byte order '%s' is not supported; save it again on a little-endian machine"
                    .formatted(file, text));
          }
        });
    MemorySegment pickle = zip.find(prefix + PICKLE).orElseThrow();
    TensorTable tensors = new TensorTable();
    for (Map.Entry<String, TensorPickle.PickledTensor> entry :
        TensorPickle.read(file, pickle).entrySet()) {
      String name = entry.getKey();
      TensorPickle.PickledTensor tensor = entry.getValue();
      MemorySegment storage =
          zip.find(prefix + "/data/" + tensor.storageKey())
              .orElseThrow(() ->
                  new CheckpointException(
                      "%s: tensor %s: storage %s is missing"
                          .formatted(file, name, tensor.storageKey())));
      if (!TensorPickle.isContiguous(tensor)) {
        throw new CheckpointException(
            "%s: tensor %s is not contiguous (%s); save it again after .contiguous()"
                .formatted(file, name, TensorPickle.describe(tensor)));
      }
      long elementBytes = tensor.dtype().blockBytes();
      if (tensor.offset() < 0 || tensor.offset() > storage.byteSize() / elementBytes) {
        throw new CheckpointException(
            "%s: tensor %s begins at element %d, beyond its storage of %d bytes"
                .formatted(file, name, tensor.offset(), storage.byteSize()));
      }
      tensors.add(
          file, name, tensor.dtype(), tensor.shape(), storage, tensor.offset() * elementBytes);
    }
    return tensors;
  }

  private static String prefix(String file, ZipDirectory zip) {
    for (String name : zip.names()) {
      if (name.endsWith(PICKLE) && name.indexOf('/') == name.length() - PICKLE.length()) {
        return name.substring(0, name.length() - PICKLE.length());
      }
    }
    throw new CheckpointException(
        file + ": a zip file without data.pkl; it was not written by torch.save");
  }
}
