package io.cusco.llama.cuda.emulator;

/// The accesses of one memory instruction: finds the memory behind an address and checks bounds,
/// alignment, initialisation and races. After a check, [#region] and [#offset] say where to go.
final class MemoryAccess {
  /// State spaces of PTX. Constants live in the device's memory and are read-only there.
  enum Space {
    GENERIC,
    GLOBAL,
    SHARED,
    LOCAL,
    PARAM
  }

  private final Space space;
  private final int numBytes;

  /// `volatile`, `relaxed` and the like: not a race against other strong accesses.
  private final boolean strong;

  /// `ld.global.nc`: through a cache that does not see writes of the running launch.
  private final boolean nonCoherent;

  /// Where the access checked last is.
  MemoryRegion region;

  /// Its first byte.
  int offset;

  private Space found;
  private MemoryRegion lastGlobal;

  MemoryAccess(Space space, int numBytes, boolean strong) {
    this(space, numBytes, strong, false);
  }

  MemoryAccess(Space space, int numBytes, boolean strong, boolean nonCoherent) {
    this.space = space;
    this.numBytes = numBytes;
    this.strong = strong;
    this.nonCoherent = nonCoherent;
  }

  /// The state space among the modifiers of a form.
  static Space takeSpace(Form form) {
    String name = form.takeOneOf("global", "shared", "shared::cta", "local", "const", "param");
    if (name == null) {
      return Space.GENERIC;
    }
    return switch (name) {
      case "shared", "shared::cta" -> Space.SHARED;
      case "local" -> Space.LOCAL;
      case "param" -> Space.PARAM;
      default -> Space.GLOBAL;
    };
  }

  /// Whether the access checked last went to global memory.
  boolean foundGlobal() {
    return found == Space.GLOBAL;
  }

  void read(Warp warp, int lane, long address) {
    locate(warp, lane, address, "read");
    checkInitialised(warp, lane);
    if (found == Space.GLOBAL || found == Space.SHARED) {
      checkRace(warp, lane, false, strong ? RaceShadow.ATOMIC : 0);
    }
  }

  void write(Warp warp, int lane, long address) {
    locate(warp, lane, address, "write");
    checkWritable(lane);
    if (found == Space.GLOBAL || found == Space.SHARED) {
      checkRace(warp, lane, true, strong ? RaceShadow.ATOMIC : 0);
    }
    region.setInitialised(offset, numBytes, true);
  }

  /// An atomic reads and writes.
  void update(Warp warp, int lane, long address) {
    locate(warp, lane, address, "atomic");
    checkWritable(lane);
    checkInitialised(warp, lane);
    if (found == Space.GLOBAL) {
      warp.block().launch().order().globalAtomic();
    }
    if (found == Space.GLOBAL || found == Space.SHARED) {
      checkRace(warp, lane, true, RaceShadow.ATOMIC);
    }
  }

  /// A write that arrives later: until then nobody may read these bytes.
  void writeLater(Warp warp, int lane, long address) {
    write(warp, lane, address);
    region.setInitialised(offset, numBytes, false);
  }

  private void locate(Warp warp, int lane, long address, String what) {
    found = space == Space.GENERIC ? spaceOf(address) : space;
    long inSpace = address;
    if (space == Space.GENERIC && found == Space.SHARED) {
      inSpace -= Addresses.SHARED_WINDOW;
    } else if (space == Space.GENERIC && found == Space.LOCAL) {
      inSpace -= Addresses.LOCAL_WINDOW;
    }
    switch (found) {
      case SHARED -> place(warp.block().shared(), inSpace, lane, what);
      case LOCAL -> locateLocal(warp, inSpace, lane, what);
      case PARAM -> place(warp.block().launch().parameters(), inSpace, lane, what);
      default -> locateGlobal(warp, address, lane, what);
    }
    if ((inSpace & numBytes - 1) != 0) {
      throw new DeviceFault(
          DeviceFault.Kind.MISALIGNED,
          lane,
          "misaligned: %s of %d bytes at %s, %s"
              .formatted(what, numBytes, Addresses.hex(inSpace), region.describe(offset)));
    }
  }

  private static Space spaceOf(long address) {
    if (Addresses.shared(address)) {
      return Space.SHARED;
    }
    return Addresses.local(address) ? Space.LOCAL : Space.GLOBAL;
  }

  private void locateGlobal(Warp warp, long address, int lane, String what) {
    MemoryRegion last = lastGlobal;
    if (last == null || !last.alive() || !last.contains(address, numBytes)) {
      DeviceMemory memory = warp.block().launch().memory();
      last = memory.find(address);
      if (last == null || !last.contains(address, numBytes)) {
        throw memory.outside(address, numBytes, lane, what);
      }
      lastGlobal = last;
    }
    region = last;
    offset = (int) (address - last.base());
  }

  private void place(MemoryRegion candidate, long address, int lane, String what) {
    if (!candidate.contains(address, numBytes)) {
      throw new DeviceFault(
          DeviceFault.Kind.ILLEGAL_ADDRESS,
          lane,
          "out of bounds: %s of %d bytes at byte %d of %s of %d bytes"
              .formatted(
                  what,
                  numBytes,
                  address - candidate.base(),
                  candidate.label(),
                  candidate.numBytes()));
    }
    region = candidate;
    offset = (int) (address - candidate.base());
  }

  private void locateLocal(Warp warp, long address, int lane, String what) {
    MemoryRegion local = warp.local();
    int slab = local == null ? 0 : local.numBytes() / 32;
    long inSlab = address - Addresses.FIRST_OFFSET;
    if (inSlab < 0 || inSlab + numBytes > slab) {
      throw new DeviceFault(
          DeviceFault.Kind.ILLEGAL_ADDRESS,
          lane,
          "out of bounds: %s of %d bytes at byte %d of %d bytes of local memory"
              .formatted(what, numBytes, inSlab, slab));
    }
    region = local;
    offset = lane * slab + (int) inSlab;
  }

  private void checkWritable(int lane) {
    if (region.readOnly()) {
      throw new DeviceFault(
          DeviceFault.Kind.READ_ONLY,
          lane,
          "write to " + region.describe(offset) + ", which is constant");
    }
  }

  private void checkInitialised(Warp warp, int lane) {
    int missing = region.firstUninitialised(offset, numBytes);
    if (missing >= 0 && warp.block().launch().options().checkInitialised()) {
      throw new DeviceFault(
          DeviceFault.Kind.UNINITIALISED_READ,
          lane,
          "uninitialised read: nothing has written " + region.describe(missing));
    }
  }

  private void checkRace(Warp warp, int lane, boolean write, long flags) {
    Launch launch = warp.block().launch();
    if (!launch.options().checkRaces() || region.readOnly()) {
      return;
    }
    int generation = found == Space.SHARED ? warp.block().generation() : launch.generation();
    long stamp = warp.stamp(lane) | flags;
    RaceShadow shadow = region.shadow();
    if (nonCoherent && shadow.written(offset, numBytes, generation)) {
      throw new DeviceFault(
          DeviceFault.Kind.RACE,
          lane,
          "non-coherent read of %s, which this launch has written"
              .formatted(region.describe(offset)));
    }
    RaceShadow.Conflict conflict =
        write
            ? shadow.write(offset, numBytes, stamp, generation, launch.order())
            : shadow.read(offset, numBytes, stamp, generation, launch.order());
    if (conflict != null) {
      throw race(warp, lane, write, conflict);
    }
  }

  private DeviceFault race(Warp warp, int lane, boolean write, RaceShadow.Conflict conflict) {
    String order = (write ? "write" : "read") + "-after-" + (conflict.write() ? "write" : "read");
    return new DeviceFault(
        DeviceFault.Kind.RACE,
        lane,
        "race: %s on %s by thread %d of block %d, previous %s by thread %d of block %d"
            .formatted(
                order,
                region.describe(conflict.offset()),
                warp.index() * 32 + lane,
                warp.block().index(),
                conflict.write() ? "write" : "read",
                conflict.thread(),
                conflict.block()));
  }
}
