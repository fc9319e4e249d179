package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.standin.CuResult.CUDA_ERROR_INVALID_HANDLE;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The handles that the stand-in has given out. Each is an address that nothing is mapped at; a
/// handle is never given out twice, so that one that was destroyed is known for what it was.
final class Handles {
  /// Below every device address and not a canonical place for host memory.
  private static final long FIRST = 0x5e00_0000_0000L;

  private static final long DISTANCE = 0x100;

  private final Map<Long, Object> live = new LinkedHashMap<>();
  private final Map<Long, String> destroyed = new HashMap<>();
  private long next = FIRST;

  MemorySegment register(Object object) {
    long address = next;
    next += DISTANCE;
    live.put(address, object);
    return MemorySegment.ofAddress(address);
  }

  /// The object of a handle.
  ///
  /// @throws StandInFault CUDA_ERROR_INVALID_HANDLE if it is null, was destroyed, was never given
  ///   out, or is of another kind
  <T> T get(MemorySegment handle, Class<T> type) {
    Object object = live.get(handle.address());
    if (type.isInstance(object)) {
      return type.cast(object);
    }
    String was = destroyed.get(handle.address());
    String reason;
    if (handle.address() == 0) {
      reason = "it is NULL";
    } else if (was != null) {
      reason = "it was " + was + ", which has been destroyed";
    } else if (object != null) {
      reason = "it is " + object;
    } else {
      reason = "it was never given out";
    }
    throw new StandInFault(
        CUDA_ERROR_INVALID_HANDLE,
        "handle 0x%x is no %s: %s".formatted(handle.address(), type.getSimpleName(), reason));
  }

  /// Takes a handle back; from here on it counts as destroyed.
  <T> T remove(MemorySegment handle, Class<T> type) {
    T object = get(handle, type);
    live.remove(handle.address());
    destroyed.put(handle.address(), object.toString());
    return object;
  }

  /// Every live object of a kind, in the order of creation.
  <T> List<T> all(Class<T> type) {
    List<T> found = new ArrayList<>();
    for (Object object : live.values()) {
      if (type.isInstance(object)) {
        found.add(type.cast(object));
      }
    }
    return found;
  }

  /// Takes back every handle of a kind.
  void removeAll(Class<?> type) {
    live.entrySet()
        .removeIf(entry -> {
          boolean gone = type.isInstance(entry.getValue());
          if (gone) {
            destroyed.put(entry.getKey(), entry.getValue().toString());
          }
          return gone;
        });
  }
}
