package io.cusco.llama.cuda.calibration;

import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.GZIPInputStream;
import java.util.zip.GZIPOutputStream;

/// What one GPU answered to the calibration kernels. A gzip file of `DataOutput`: device, driver
/// and date, then per form its name, the length of its output and the output.
///
/// @param device the device's name, as the driver gives it
/// @param driver the driver's version
/// @param date ISO date of the run
/// @param results output rows by form name
record CalibrationGolden(String device, String driver, String date, Map<String, byte[]> results) {
  private static final int MAX_BYTES = 1 << 20;

  CalibrationGolden {
    results = Collections.unmodifiableMap(new LinkedHashMap<>(results));
  }

  void write(OutputStream file) throws IOException {
    try (DataOutputStream out = new DataOutputStream(new GZIPOutputStream(file))) {
      out.writeUTF(device);
      out.writeUTF(driver);
      out.writeUTF(date);
      out.writeInt(results.size());
      for (Map.Entry<String, byte[]> result : results.entrySet()) {
        out.writeUTF(result.getKey());
        out.writeInt(result.getValue().length);
        out.write(result.getValue());
      }
    }
  }

  static CalibrationGolden read(InputStream file) throws IOException {
    try (DataInputStream in = new DataInputStream(new GZIPInputStream(file))) {
      String device = in.readUTF();
      String driver = in.readUTF();
      String date = in.readUTF();
      Map<String, byte[]> results = new LinkedHashMap<>();
      for (int left = in.readInt(); left > 0; left--) {
        String form = in.readUTF();
        int length = in.readInt();
        if (length < 0 || length > MAX_BYTES) {
          throw new IOException("form %s has %d bytes of results".formatted(form, length));
        }
        results.put(form, in.readNBytes(length));
      }
      return new CalibrationGolden(device, driver, date, results);
    }
  }

  @Override
  public String toString() {
    return "%s, driver %s, %s".formatted(device, driver, date);
  }
}
