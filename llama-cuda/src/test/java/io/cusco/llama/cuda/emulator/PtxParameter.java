package io.cusco.llama.cuda.emulator;

/// One parameter of a kernel, as it lies in the packed parameter block.
///
/// @param name as in the PTX
/// @param offset in bytes from the start of the block
/// @param numBytes size of the value; the whole struct for a parameter passed by value
/// @param alignment in bytes
public record PtxParameter(String name, int offset, int numBytes, int alignment) {}
