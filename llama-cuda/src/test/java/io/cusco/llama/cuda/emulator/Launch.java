package io.cusco.llama.cuda.emulator;

/// What the instructions of one launch share.
///
/// @param parameters the packed parameter block, as a region based at 0
/// @param generation tells the accesses of this launch from those of launches before
record Launch(
    DeviceMemory memory,
    EmulatorOptions options,
    MemoryRegion parameters,
    int generation,
    BlockOrder order) {}
