package io.cusco.llama.cuda.driver;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Random;
import org.junit.jupiter.api.Test;

class DevicePointersTest {
  @Test
  void pointsToTheAddress() {
    DevicePointers pointers = new DevicePointers();
    Random random = new Random(5);
    for (int i = 0; i < 100_000; i++) {
      long address = random.nextInt(4) == 0 ? i : random.nextLong();
      assertThat(pointers.of(address).address()).isEqualTo(address);
    }
  }

  @Test
  void makesOnePointerForTheOperandsOfALargeModel() {
    DevicePointers pointers = new DevicePointers();
    int operands = 126 * 8;
    Object[] first = new Object[operands];
    for (int i = 0; i < operands; i++) {
      first[i] = pointers.of(0x7f00_0000_0000L + (long) i * (256 << 20));
    }
    for (int i = 0; i < operands; i++) {
      assertThat(pointers.of(0x7f00_0000_0000L + (long) i * (256 << 20))).isSameAs(first[i]);
    }
  }
}
