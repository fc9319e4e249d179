package io.cusco.llama.cuda.driver;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;

class LaunchParametersTest {
  private final LaunchParameters parameters =
      new LaunchParameters(
          "k",
          List.of(
              ParameterType.POINTER, ParameterType.INT, ParameterType.FLOAT, ParameterType.LONG));

  @Test
  void theBlockPointsToItsValues() {
    parameters.setPointer(0, 0x7f00L).setInt(1, -3).setFloat(2, 0.5f).setLong(3, 1L << 40);
    MemorySegment pointers = parameters.pointers();
    assertThat(value(pointers, 0, JAVA_LONG).get(JAVA_LONG, 0)).isEqualTo(0x7f00L);
    assertThat(value(pointers, 1, JAVA_INT).get(JAVA_INT, 0)).isEqualTo(-3);
    assertThat(value(pointers, 2, JAVA_FLOAT).get(JAVA_FLOAT, 0)).isEqualTo(0.5f);
    assertThat(value(pointers, 3, JAVA_LONG).get(JAVA_LONG, 0)).isEqualTo(1L << 40);
  }

  private static MemorySegment value(MemorySegment pointers, int index, ValueLayout layout) {
    return pointers.getAtIndex(ADDRESS, index).reinterpret(layout.byteSize());
  }

  @Test
  void indexAndTypeAreChecked() {
    assertThatThrownBy(() -> parameters.setInt(0, 1))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageContaining("kernel k takes [POINTER, INT, FLOAT, LONG]; parameter 0")
        .hasMessageContaining("INT");
    assertThatThrownBy(() -> parameters.setInt(4, 1)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> parameters.setInt(-1, 1)).isInstanceOf(IllegalArgumentException.class);
  }

  @Test
  void aLaunchWithAnUnsetParameterIsRefused() {
    parameters.setPointer(0, 1).setInt(1, 2).setLong(3, 4);
    assertThatThrownBy(parameters::pointers)
        .isInstanceOf(IllegalStateException.class)
        .hasMessageContaining("kernel k: parameter 2 was never set");
  }

  @Test
  void aKernelMayHaveNoneAndAtMost64() {
    assertThat(new LaunchParameters("none", List.of()).pointers().isNative()).isTrue();
    List<ParameterType> many = Collections.nCopies(64, ParameterType.INT);
    assertThatThrownBy(new LaunchParameters("many", many)::pointers)
        .isInstanceOf(IllegalStateException.class);
    assertThatThrownBy(
            () -> new LaunchParameters("more", Collections.nCopies(65, ParameterType.INT)))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
