package io.cusco.llama.cuda.emulator;

import java.util.List;

/// `cp.async` and its waits (PTX ISA, "Data Movement and Conversion Instructions: Asynchronous
/// copy").
final class AsyncCopyOps {
  private AsyncCopyOps() {}

  static Operation compile(Form form) {
    if (!form.take("async") || form.takeOneOf("bulk", "mbarrier", "reduce") != null) {
      throw new IllegalArgumentException("only cp.async of compute capability 8.0 is emulated");
    }
    if (form.take("commit_group")) {
      form.finish(0);
      return (warp, mask) -> {
        for (int rest = mask; rest != 0; rest &= rest - 1) {
          warp.asyncCopies().commit(Integer.numberOfTrailingZeros(rest));
        }
      };
    }
    if (form.take("wait_all")) {
      form.finish(0);
      return landing(-1);
    }
    if (form.take("wait_group")) {
      form.finish(1);
      return landing(form.number(0));
    }
    return copy(form);
  }

  /// @param pending how many groups may stay under way, -1 for nothing at all
  private static Operation landing(int pending) {
    return (warp, mask) -> {
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        AsyncCopies copies = warp.asyncCopies();
        List<AsyncCopies.Copy> landed =
            pending < 0 ? copies.waitAll(lane) : copies.waitGroup(lane, pending);
        for (AsyncCopies.Copy copy : landed) {
          land(warp, lane, copy);
        }
      }
    };
  }

  /// The write counts for the thread that waits, now: others need a barrier to see it.
  private static void land(Warp warp, int lane, AsyncCopies.Copy copy) {
    byte[] bytes = copy.bytes();
    MemoryAccess access = new MemoryAccess(MemoryAccess.Space.SHARED, bytes.length, false);
    access.write(warp, lane, copy.address());
    System.arraycopy(bytes, 0, access.region.bytes(), access.offset, bytes.length);
  }

  /// `cp.async.{ca,cg}.shared.global [to], [from], size{, source size}`.
  private static Operation copy(Form form) {
    boolean cacheAll = form.take("ca");
    boolean cacheGlobal = form.take("cg");
    boolean spaces = form.takeAll("shared", "global");
    form.ignorePrefix("L2::");
    boolean sourceSize = form.count() == 4;
    form.finish(sourceSize ? 4 : 3);
    int size = form.number(2);
    boolean sizeFits = size == 16 || (cacheAll && (size == 4 || size == 8));
    if (!spaces || cacheAll == cacheGlobal || !sizeFits) {
      throw new IllegalArgumentException(".ca copies 4, 8 or 16 bytes, .cg 16");
    }
    AddressSource to = form.address(0);
    AddressSource from = form.address(1);
    int sourceBytes = sourceSize ? form.in(3, PtxType.U32) : form.slots().constant(size);
    MemoryAccess write = new MemoryAccess(MemoryAccess.Space.SHARED, size, false);
    MemoryAccess wholeRead = new MemoryAccess(MemoryAccess.Space.GLOBAL, size, false);
    MemoryAccess byteRead = new MemoryAccess(MemoryAccess.Space.GLOBAL, 1, false);
    long[] sources = new long[32];
    return (warp, mask) -> {
      from.fill(warp);
      System.arraycopy(warp.addresses, 0, sources, 0, 32);
      to.fill(warp);
      for (int rest = mask; rest != 0; rest &= rest - 1) {
        int lane = Integer.numberOfTrailingZeros(rest);
        int length = warp.ints[sourceBytes + lane];
        checkSource(lane, length, size, sources[lane]);
        // Bytes beyond the source size arrive as zero and are not read.
        byte[] bytes = new byte[size];
        if (length == size) {
          wholeRead.read(warp, lane, sources[lane]);
          int at = wholeRead.offset;
          System.arraycopy(wholeRead.region.bytes(), at, bytes, 0, size);
        } else {
          for (int i = 0; i < length; i++) {
            byteRead.read(warp, lane, sources[lane] + i);
            bytes[i] = byteRead.region.getByte(byteRead.offset);
          }
        }
        write.writeLater(warp, lane, warp.addresses[lane]);
        warp.asyncCopies().issue(lane, new AsyncCopies.Copy(warp.addresses[lane], bytes));
      }
    };
  }

  private static void checkSource(int lane, int length, int size, long address) {
    if (Integer.compareUnsigned(length, size) > 0) {
      throw new DeviceFault(
          DeviceFault.Kind.UNDEFINED_RESULT,
          lane,
          "source size %d of a copy of %d bytes".formatted(length, size));
    }
    if (address % size != 0) {
      throw new DeviceFault(
          DeviceFault.Kind.MISALIGNED,
          lane,
          "misaligned: source %s of a copy of %d bytes".formatted(Addresses.hex(address), size));
    }
  }
}
