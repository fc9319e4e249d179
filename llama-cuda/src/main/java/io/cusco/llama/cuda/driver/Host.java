package io.cusco.llama.cuda.driver;

import java.util.Locale;
import java.util.Optional;
import java.util.function.UnaryOperator;

/// What decides where libraries are looked for.
///
/// @param windows file names are `nvcuda.dll`, not `libcuda.so.1`
/// @param arch "x86_64", "aarch64": the multiarch folder's first part
/// @param environment environment variables; null where unset
/// @param properties system properties; null where unset
record Host(
    boolean windows,
    String arch,
    UnaryOperator<String> environment,
    UnaryOperator<String> properties) {

  static Host ofSystem() {
    String arch = System.getProperty("os.arch");
    return new Host(
        System.getProperty("os.name").toLowerCase(Locale.ROOT).startsWith("windows"),
        arch.equals("amd64") ? "x86_64" : arch,
        System::getenv,
        System::getProperty);
  }

  Optional<String> variable(String name) {
    return Optional.ofNullable(environment.apply(name)).filter(value -> !value.isBlank());
  }

  Optional<String> property(String name) {
    return Optional.ofNullable(properties.apply(name)).filter(value -> !value.isBlank());
  }
}
