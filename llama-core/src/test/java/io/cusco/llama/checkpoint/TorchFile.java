package io.cusco.llama.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.CRC32;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/// Writes small files as `torch.save` does: a stored zip with a protocol 2 pickle.
final class TorchFile {
  /// @param values float32, row-major
  record Tensor(float[] values, long[] shape, long[] strides, int offset) {
    static Tensor of(float[] values, long[] shape) {
      long[] strides = new long[shape.length];
      long stride = 1;
      for (int i = shape.length - 1; i >= 0; i--) {
        strides[i] = stride;
        stride *= shape[i];
      }
      return new Tensor(values, shape, strides, 0);
    }
  }

  private TorchFile() {}

  static byte[] of(Map<String, Tensor> tensors) throws IOException {
    Map<String, byte[]> entries = new LinkedHashMap<>();
    ByteArrayOutputStream pickle = new ByteArrayOutputStream();
    pickle.writeBytes(new byte[] {(byte) 0x80, 2, '}', '('});
    int key = 0;
    for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
      Tensor tensor = entry.getValue();
      putString(pickle, entry.getKey());
      putText(pickle, "ctorch._utils\n_rebuild_tensor_v2\n((");
      putString(pickle, "storage");
      putText(pickle, "ctorch\nFloatStorage\n");
      putString(pickle, Integer.toString(key));
      putString(pickle, "cpu");
      putInt(pickle, tensor.values.length);
      putText(pickle, "tQ");
      putInt(pickle, tensor.offset);
      putInts(pickle, tensor.shape);
      putInts(pickle, tensor.strides);
      pickle.write(0x89);
      putText(pickle, "ccollections\nOrderedDict\n)RtR");
      ByteBuffer bytes =
          ByteBuffer.allocate(tensor.values.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
      bytes.asFloatBuffer().put(tensor.values);
      entries.put("archive/data/" + key, bytes.array());
      key++;
    }
    putText(pickle, "u.");
    entries.put("archive/data.pkl", pickle.toByteArray());
    entries.put("archive/byteorder", "little".getBytes(StandardCharsets.US_ASCII));
    return zip(entries, true);
  }

  static byte[] zip(Map<String, byte[]> entries, boolean stored) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ZipOutputStream zip = new ZipOutputStream(bytes)) {
      for (Map.Entry<String, byte[]> content : entries.entrySet()) {
        ZipEntry entry = new ZipEntry(content.getKey());
        if (stored) {
          CRC32 crc = new CRC32();
          crc.update(content.getValue());
          entry.setMethod(ZipEntry.STORED);
          entry.setSize(content.getValue().length);
          entry.setCrc(crc.getValue());
        }
        zip.putNextEntry(entry);
        zip.write(content.getValue());
        zip.closeEntry();
      }
    }
    return bytes.toByteArray();
  }

  private static void putText(ByteArrayOutputStream pickle, String text) {
    pickle.writeBytes(text.getBytes(StandardCharsets.US_ASCII));
  }

  private static void putString(ByteArrayOutputStream pickle, String text) {
    pickle.write('X');
    pickle.writeBytes(littleEndian(text.length()));
    putText(pickle, text);
  }

  private static void putInts(ByteArrayOutputStream pickle, long[] values) {
    pickle.write('(');
    for (long value : values) {
      putInt(pickle, (int) value);
    }
    pickle.write('t');
  }

  private static void putInt(ByteArrayOutputStream pickle, int value) {
    pickle.write('J');
    pickle.writeBytes(littleEndian(value));
  }

  private static byte[] littleEndian(int value) {
    return ByteBuffer.allocate(Integer.BYTES).order(ByteOrder.LITTLE_ENDIAN).putInt(value).array();
  }
}
