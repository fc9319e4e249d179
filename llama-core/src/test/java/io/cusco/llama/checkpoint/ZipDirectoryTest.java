package io.cusco.llama.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/// Archives of 4 GB and more keep their sizes in zip64 records; here is a small one that does too,
/// laid out by hand after APPNOTE 6.3.
final class ZipDirectoryTest {
  private static final byte[] NAME = "a/data.pkl".getBytes(StandardCharsets.US_ASCII);
  private static final byte[] CONTENT = "twelve bytes".getBytes(StandardCharsets.US_ASCII);

  @Test
  void sizesAndOffsetsAreTakenFromZip64Records() {
    ZipDirectory zip = new ZipDirectory("big.pth", MemorySegment.ofArray(zip64(CONTENT.length)));
    MemorySegment entry = zip.find("a/data.pkl").orElseThrow();
    assertThat(entry.toArray(ValueLayout.JAVA_BYTE)).isEqualTo(CONTENT);
    assertThat(zip.find("a/data/0")).isEmpty();
  }

  @Test
  void zip64SizesBeyondTheFileAreRefused() {
    for (long size : new long[] {1000, Long.MAX_VALUE, -1}) {
      assertThatExceptionOfType(CheckpointException.class)
          .isThrownBy(() -> new ZipDirectory("big.pth", MemorySegment.ofArray(zip64(size))))
          .withMessageContaining("big.pth: truncated");
    }
  }

  private static byte[] zip64(long size) {
    ByteBuffer zip = ByteBuffer.allocate(512).order(ByteOrder.LITTLE_ENDIAN);
    // Local header: signature, version, flags, method, time, date, crc, sizes, lengths.
    zip.putInt(0x04034b50).putShort((short) 45).putShort((short) 0).putShort((short) 0);
    zip.putInt(0).putInt(0).putInt(-1).putInt(-1);
    zip.putShort((short) NAME.length).putShort((short) 0).put(NAME).put(CONTENT);
    int central = zip.position();
    zip.putInt(0x02014b50).putShort((short) 45).putShort((short) 45).putShort((short) 0);
    zip.putShort((short) 0).putInt(0).putInt(0).putInt(-1).putInt(-1);
    zip.putShort((short) NAME.length).putShort((short) (6 + 4 + 24)).putShort((short) 0);
    zip.putShort((short) 0).putShort((short) 0).putInt(0).putInt(-1).put(NAME);
    // An unrelated extra field, then zip64's: size, compressed size, offset of the local header.
    zip.putShort((short) 0x5855).putShort((short) 2).putShort((short) 0);
    zip.putShort((short) 1).putShort((short) 24).putLong(size).putLong(size).putLong(0);
    int end64 = zip.position();
    zip.putInt(0x06064b50).putLong(44).putShort((short) 45).putShort((short) 45);
    zip.putInt(0).putInt(0).putLong(1).putLong(1).putLong(end64 - central).putLong(central);
    zip.putInt(0x07064b50).putInt(0).putLong(end64).putInt(1);
    zip.putInt(0x06054b50).putShort((short) 0).putShort((short) 0);
    zip.putShort((short) -1).putShort((short) -1).putInt(-1).putInt(-1).putShort((short) 0);
    byte[] bytes = new byte[zip.position()];
    zip.flip().get(bytes);
    return bytes;
  }
}
