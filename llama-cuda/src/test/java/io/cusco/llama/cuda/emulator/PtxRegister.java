package io.cusco.llama.cuda.emulator;

/// A virtual register. Registers of 64 bits have their own file; all others, predicates included,
/// share the file of 32-bit ones.
///
/// @param index within its file
record PtxRegister(String name, PtxType type, int index) {}
