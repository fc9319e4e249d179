package io.cusco.llama.checkpoint;

import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// Reads the pickled dictionary of tensors that `torch.save` writes, and can build nothing else:
/// dictionaries, tuples, numbers, strings, storages and tensors. A pickle is a program; every call
/// that is not one of PyTorch's two for tensors is refused by its name, and no class is ever looked
/// up.
///
/// Source: CPython's `pickletools.py` for the instructions, `torch/_utils.py`
/// (`_rebuild_tensor_v2`) and `torch/serialization.py` (`persistent_load`) for their meaning. Owned
/// by one thread.
final class TensorPickle {

  /// One tensor: where its elements lie and how they are laid out.
  ///
  /// @param storageKey name of the zip entry below `data/`
  /// @param offset first element within the storage
  /// @param storageElements elements in the whole storage
  record PickledTensor(
      String storageKey,
      DType dtype,
      long storageElements,
      long offset,
      long[] shape,
      long[] strides) {}

  /// A name the pickle refers to; only ever compared, never resolved.
  private record Global(String name) {}

  private record Storage(String key, DType dtype, long numElements) {}

  private enum Marker {
    MARK,
    NONE
  }

  /// A checkpoint of 126 layers has 1,100 tensors of some 200 bytes each.
  private static final int MAX_BYTES = 64 << 20;

  private static final String REBUILD_TENSOR = "torch._utils._rebuild_tensor_v2";
  private static final String ORDERED_DICT = "collections.OrderedDict";
  private static final Map<String, DType> STORAGES =
      Map.of(
          "torch.FloatStorage", DType.F32,
          "torch.HalfStorage", DType.F16,
          "torch.BFloat16Storage", DType.BF16);

  private final String file;
  private final ByteCursor cursor;
  private final List<Object> stack = new ArrayList<>();
  private final Map<Integer, Object> memo = new HashMap<>();

  private TensorPickle(String file, MemorySegment pickle) {
    this.file = file;
    this.cursor = new ByteCursor(file, pickle, 0);
  }

  /// The tensors by name, in the order of the file.
  ///
  /// @throws CheckpointException if the pickle is damaged or asks for anything but tensors
  static Map<String, PickledTensor> read(String file, MemorySegment pickle) {
    if (pickle.byteSize() > MAX_BYTES) {
      throw new CheckpointException(
          "%s: data.pkl has %d bytes; at most %d are read"
              .formatted(file, pickle.byteSize(), MAX_BYTES));
    }
    TensorPickle reader = new TensorPickle(file, pickle);
    while (reader.step()) {
      // until the STOP instruction
    }
    Map<?, ?> top = reader.pop(Map.class);
    Map<String, PickledTensor> tensors = new LinkedHashMap<>();
    top.forEach((key, value) -> {
      if (!(key instanceof String name) || !(value instanceof PickledTensor tensor)) {
        throw new CheckpointException(
            "%s: data.pkl: '%s' is not a tensor; only plain dictionaries of tensors are read"
                .formatted(file, key));
      }
      tensors.put(name, tensor);
    });
    return tensors;
  }

  /// Runs one instruction; false after the last.
  private boolean step() {
    int opcode = cursor.unsignedByte("data.pkl");
    switch (opcode) {
      case 0x80 -> cursor.skip(1, "PROTO");
      case 0x95 -> cursor.skip(8, "FRAME");
      case '.' -> {
        return false;
      }
      case '(' -> stack.add(Marker.MARK);
      case 'N' -> stack.add(Marker.NONE);
      case 0x88 -> stack.add(true);
      case 0x89 -> stack.add(false);
      case 'K' -> stack.add((long) cursor.unsignedByte("BININT1"));
      case 'M' -> stack.add((long) cursor.unsignedShort("BININT2"));
      case 'J' -> stack.add((long) cursor.int32("BININT"));
      case 0x8a -> stack.add(readLong());
      case 0x8c -> stack.add(readString(cursor.unsignedByte("SHORT_BINUNICODE")));
      case 'X' -> stack.add(readString(cursor.unsignedInt("BINUNICODE")));
      case '}' -> stack.add(new LinkedHashMap<>());
      case ')' -> stack.add(List.of());
      case 0x85 -> pushTuple(1);
      case 0x86 -> pushTuple(2);
      case 0x87 -> pushTuple(3);
      case 't' -> stack.add(popToMark());
      case 'q' -> memoize(cursor.unsignedByte("BINPUT"));
      case 'r' -> memoize(cursor.int32("LONG_BINPUT"));
      case 0x94 -> memoize(memo.size());
      case 'h' -> stack.add(recall(cursor.unsignedByte("BINGET")));
      case 'j' -> stack.add(recall(cursor.int32("LONG_BINGET")));
      case 'c' -> stack.add(global(readLine(), readLine()));
      case 0x93 -> {
        String name = pop(String.class);
        stack.add(global(pop(String.class), name));
      }
      case 'Q' -> stack.add(storage(pop(List.class)));
      case 'R' -> {
        List<?> arguments = pop(List.class);
        stack.add(call(pop(Global.class), arguments));
      }
      case 's' -> {
        Object value = pop(Object.class);
        put(List.of(pop(String.class), value));
      }
      case 'u' -> put(popToMark());
      case 'b' -> pop(Map.class); // attributes of a dictionary, such as a state_dict's _metadata
      default ->
          throw new CheckpointException(
              "%s: data.pkl: instruction 0x%02x at offset %d is not used by PyTorch checkpoints;"
                      .formatted(file, opcode, cursor.position() - 1)
                  + " refused");
    }
    return true;
  }

  private Global global(String module, String name) {
    String full = module + "." + name;
    if (!full.equals(REBUILD_TENSOR) && !full.equals(ORDERED_DICT) && !STORAGES.containsKey(full)) {
      throw new CheckpointException(
          "%s: data.pkl refers to %s, which is refused; only tensors of %s are read"
              .formatted(file, full, STORAGES.keySet()));
    }
    return new Global(full);
  }

  /// `("storage", type, key, device, number of elements)`.
  private Storage storage(List<?> id) {
    if (id.size() == 5
        && "storage".equals(id.get(0))
        && id.get(1) instanceof Global(String type)
        && STORAGES.containsKey(type)
        && id.get(2) instanceof String key
        && id.get(4) instanceof Long numElements
        && numElements >= 0) {
      return new Storage(key, STORAGES.get(type), numElements);
    }
    throw damaged("persistent id is no storage");
  }

  private Object call(Global function, List<?> arguments) {
    if (function.name.equals(ORDERED_DICT) && arguments.isEmpty()) {
      return new LinkedHashMap<>();
    }
    // storage, offset, size, stride, requires_grad, backward hooks, and in newer files metadata
    if (function.name.equals(REBUILD_TENSOR)
        && (arguments.size() == 6 || arguments.size() == 7)
        && arguments.get(0) instanceof Storage(String key, DType dtype, long numElements)
        && arguments.get(1) instanceof Long offset
        && arguments.get(2) instanceof List<?> shape
        && arguments.get(3) instanceof List<?> strides) {
      return new PickledTensor(key, dtype, numElements, offset, longs(shape), longs(strides));
    }
    throw damaged("call of %s with %d arguments".formatted(function.name, arguments.size()));
  }

  private long[] longs(List<?> numbers) {
    long[] longs = new long[numbers.size()];
    for (int i = 0; i < longs.length; i++) {
      if (!(numbers.get(i) instanceof Long number)) {
        throw damaged("a shape that is not numbers");
      }
      longs[i] = number;
    }
    return longs;
  }

  /// Puts key, value, key, value, ... into the dictionary on top of the stack.
  @SuppressWarnings("unchecked") // this class is the only maker of maps
  private void put(List<?> keysAndValues) {
    Map<Object, Object> target = peek(Map.class);
    if (keysAndValues.size() % 2 != 0) {
      throw damaged("a dictionary key without a value");
    }
    for (int i = 0; i < keysAndValues.size(); i += 2) {
      // Only strings: hashing a nest of tuples could go as deep as a hostile file likes.
      if (!(keysAndValues.get(i) instanceof String key)) {
        throw damaged("a dictionary key that is no string");
      }
      if (target.put(key, keysAndValues.get(i + 1)) != null) {
        throw damaged("the key %s twice".formatted(key));
      }
    }
  }

  private void pushTuple(int size) {
    if (stack.size() < size) {
      throw damaged("a tuple of values that are not there");
    }
    List<Object> last = stack.subList(stack.size() - size, stack.size());
    List<Object> tuple = new ArrayList<>(last);
    last.clear();
    stack.add(tuple);
  }

  private List<Object> popToMark() {
    int mark = stack.lastIndexOf(Marker.MARK);
    if (mark < 0) {
      throw damaged("no mark");
    }
    List<Object> above = stack.subList(mark + 1, stack.size());
    List<Object> values = new ArrayList<>(above);
    stack.subList(mark, stack.size()).clear();
    return values;
  }

  private void memoize(int key) {
    memo.put(key, peek(Object.class));
  }

  private Object recall(int key) {
    Object value = memo.get(key);
    if (value == null) {
      throw damaged("memo %d was never stored".formatted(key));
    }
    return value;
  }

  private <T> T pop(Class<T> type) {
    T top = peek(type);
    stack.removeLast();
    return top;
  }

  private <T> T peek(Class<T> type) {
    if (stack.isEmpty() || !type.isInstance(stack.getLast())) {
      throw damaged("expected %s on the stack".formatted(type.getSimpleName()));
    }
    return type.cast(stack.getLast());
  }

  /// A two's complement number of up to eight bytes.
  private long readLong() {
    int length = cursor.unsignedByte("LONG1");
    if (length > Long.BYTES) {
      throw damaged("a number of %d bytes".formatted(length));
    }
    byte[] bytes = cursor.bytes(length, "LONG1");
    long value = 0;
    for (int i = length - 1; i >= 0; i--) {
      value = value << 8 | (i == length - 1 ? bytes[i] : bytes[i] & 0xFF);
    }
    return value;
  }

  private String readString(long length) {
    if (length > cursor.remaining()) {
      throw damaged("a string of %d bytes".formatted(length));
    }
    return new String(cursor.bytes((int) length, "a string"), StandardCharsets.UTF_8);
  }

  private String readLine() {
    StringBuilder line = new StringBuilder();
    for (int c = cursor.unsignedByte("GLOBAL"); c != '\n'; c = cursor.unsignedByte("GLOBAL")) {
      line.append((char) c);
    }
    return line.toString();
  }

  private CheckpointException damaged(String what) {
    return new CheckpointException(
        "%s: data.pkl is damaged: %s at offset %d".formatted(file, what, cursor.position()));
  }

  /// Whether `strides` walk `shape` in row-major order without gaps.
  static boolean isContiguous(PickledTensor tensor) {
    long expected = 1;
    for (int i = tensor.shape.length - 1; i >= 0; i--) {
      if (tensor.strides.length != tensor.shape.length
          || (tensor.shape[i] != 1 && tensor.strides[i] != expected)) {
        return false;
      }
      expected *= tensor.shape[i];
    }
    return true;
  }

  static String describe(PickledTensor tensor) {
    return "shape %s, strides %s"
        .formatted(Arrays.toString(tensor.shape), Arrays.toString(tensor.strides));
  }
}
