package io.cusco.llama.cuda.calibration;

import static io.cusco.llama.cuda.driver.ParameterType.POINTER;

import io.cusco.llama.cuda.KernelDevice;
import io.cusco.llama.cuda.driver.CudaFunction;
import io.cusco.llama.cuda.driver.CudaModule;
import io.cusco.llama.cuda.driver.DeviceBuffer;
import io.cusco.llama.cuda.driver.LaunchShape;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// All calibration kernels as one PTX module, and their run on a device.
final class CalibrationModule {
  private CalibrationModule() {}

  /// The text; the same for the same forms. Its header is that of the shipped kernels.
  static String ptx(List<CalibrationForm> forms) {
    StringBuilder text = new StringBuilder(".version 7.0\n.target sm_80\n.address_size 64\n\n");
    for (int i = 0; i < forms.size(); i++) {
      text.append(forms.get(i).kernel(kernelName(i)));
    }
    return text.toString();
  }

  private static String kernelName(int form) {
    return "form_" + form;
  }

  /// Runs every form over its inputs.
  ///
  /// @return output rows by form name
  static Map<String, byte[]> run(KernelDevice device, List<CalibrationForm> forms) {
    Map<String, byte[]> results = new LinkedHashMap<>();
    try (CudaModule module = CudaModule.load(device.context(), "calibration", ptx(forms))) {
      for (int i = 0; i < forms.size(); i++) {
        CalibrationForm form = forms.get(i);
        CudaFunction function = module.function(kernelName(i), POINTER, POINTER);
        DeviceBuffer inputs = device.upload(CalibrationInputs.of(form));
        DeviceBuffer outputs = device.output((long) CalibrationInputs.ROWS * form.outputRowBytes());
        outputs.fill((byte) 0);
        try {
          function.launch(
              device.stream(),
              LaunchShape.of(CalibrationInputs.ROWS / CalibrationForm.BLOCK, CalibrationForm.BLOCK),
              function
                  .newParameters()
                  .setPointer(0, inputs.address())
                  .setPointer(1, outputs.address()));
          results.put(form.name(), device.download(outputs));
        } catch (RuntimeException e) {
          throw new IllegalStateException("calibration of " + form.name() + " failed", e);
        }
        device.free();
      }
    }
    return results;
  }
}
