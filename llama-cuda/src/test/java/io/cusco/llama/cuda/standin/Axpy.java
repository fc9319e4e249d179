package io.cusco.llama.cuda.standin;

import static io.cusco.llama.cuda.driver.ParameterType.FLOAT;
import static io.cusco.llama.cuda.driver.ParameterType.INT;
import static io.cusco.llama.cuda.driver.ParameterType.POINTER;

import io.cusco.llama.cuda.driver.CudaContext;
import io.cusco.llama.cuda.driver.CudaFunction;
import io.cusco.llama.cuda.driver.CudaModule;
import io.cusco.llama.cuda.driver.CudaStream;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.LaunchParameters;
import io.cusco.llama.cuda.driver.LaunchShape;
import io.cusco.llama.cuda.driver.PinnedBuffer;
import java.lang.foreign.ValueLayout;

/// y += a * x on the device, for tests that need some work: buffers of `SIZE` floats, a pinned one
/// for each direction, a stream. x is 0, 1, 2, ... and y is 1 at first.
final class Axpy implements AutoCloseable {
  /// Odd, so that the last block is not full.
  static final int SIZE = 1037;

  static final float A = 0.5f;
  private static final long NUM_BYTES = 4L * SIZE;
  private static final int BLOCK = 256;

  final CudaStream stream;
  final DeviceBuffer x;
  final DeviceBuffer y;
  final PinnedBuffer input;
  final PinnedBuffer output;
  final LaunchParameters parameters;
  private final CudaModule module;
  private final CudaFunction function;

  Axpy(CudaContext context) {
    stream = CudaStream.create(context);
    x = DeviceBuffer.allocate(context, "x", NUM_BYTES);
    y = DeviceBuffer.allocate(context, "y", NUM_BYTES);
    input = PinnedBuffer.allocate(context, NUM_BYTES);
    output = PinnedBuffer.allocate(context, NUM_BYTES);
    module = CudaModule.load(context, "axpy.ptx", SamplePtx.AXPY);
    function = module.function("axpy", POINTER, POINTER, FLOAT, INT);
    parameters =
        function
            .newParameters()
            .setPointer(0, x.address())
            .setPointer(1, y.address())
            .setFloat(2, A)
            .setInt(3, SIZE);
  }

  /// Queues x and y to the device; both come from the same pinned memory, so the first copy is
  /// waited for.
  void upload() {
    for (int i = 0; i < SIZE; i++) {
      input.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, i);
    }
    x.copyFrom(input.segment(), 0, stream);
    stream.synchronize();
    for (int i = 0; i < SIZE; i++) {
      input.segment().setAtIndex(ValueLayout.JAVA_FLOAT, i, 1);
    }
    y.copyFrom(input.segment(), 0, stream);
  }

  void launch(CudaStream on) {
    function.launch(on, LaunchShape.of((SIZE + BLOCK - 1) / BLOCK, BLOCK), parameters);
  }

  void launch() {
    launch(stream);
  }

  void launch(LaunchShape shape) {
    function.launch(stream, shape, parameters);
  }

  void download() {
    y.copyTo(output.segment(), 0, stream);
  }

  /// What the last download brought.
  float[] result() {
    return output.segment().toArray(ValueLayout.JAVA_FLOAT);
  }

  /// y after so many launches.
  static float[] expected(int launches) {
    float[] y = new float[SIZE];
    for (int i = 0; i < SIZE; i++) {
      y[i] = 1;
      for (int launch = 0; launch < launches; launch++) {
        y[i] = Math.fma(A, i, y[i]);
      }
    }
    return y;
  }

  @Override
  public void close() {
    module.close();
    output.close();
    input.close();
    y.close();
    x.close();
    stream.close();
  }
}
