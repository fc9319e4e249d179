package io.cusco.llama.cuda.emulator;

import java.util.HashMap;
import java.util.Map;

/// The addresses of what a kernel can name: variables of the module in device memory, its shared
/// and local variables as offsets in their own spaces, its parameters as offsets in the packed
/// block.
final class Symbols {
  private final Map<String, Long> addresses = new HashMap<>();

  Symbols(PtxKernel kernel, Map<String, MemoryRegion> moduleVariables) {
    moduleVariables.forEach((name, region) -> addresses.put(name, region.base()));
    kernel.parameters().forEach(x -> addresses.put(x.name(), (long) x.offset()));
    place(kernel, "local");
    int staticSharedBytes = place(kernel, "shared");
    for (PtxVariable variable : kernel.variables()) {
      if (variable.dynamic()) {
        // Dynamic shared memory starts behind the static one.
        addresses.put(variable.name(), (long) dynamicOffset(staticSharedBytes));
      }
    }
  }

  private int place(PtxKernel kernel, String space) {
    long end = Addresses.FIRST_OFFSET;
    for (PtxVariable variable : kernel.variables()) {
      if (variable.space().equals(space) && !variable.dynamic()) {
        end = Addresses.alignUp(end, variable.alignment());
        addresses.put(variable.name(), end);
        end += variable.numBytes();
      }
    }
    return Math.toIntExact(end - Addresses.FIRST_OFFSET);
  }

  private static int dynamicOffset(int staticBytes) {
    return (int) Addresses.alignUp(Addresses.FIRST_OFFSET + staticBytes, 16);
  }

  /// Shared memory of a block of this kernel.
  static int sharedBytes(PtxKernel kernel, int dynamicBytes) {
    return dynamicBytes == 0
        ? kernel.staticSharedBytes()
        : dynamicOffset(kernel.staticSharedBytes()) - Addresses.FIRST_OFFSET + dynamicBytes;
  }

  /// @throws IllegalArgumentException if nothing has this name
  long address(String name) {
    Long address = addresses.get(name);
    if (address == null) {
      throw new IllegalArgumentException("nothing is named `" + name + "`");
    }
    return address;
  }
}
