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
import java.util.TreeMap;

/// The calibration kernels as a PTX module for each architecture, and their run on a device.
final class CalibrationModule {
  private CalibrationModule() {}

  /// The texts by architecture; the same for the same forms. Headers are those of the shipped
  /// kernels.
  static Map<Integer, String> ptx(List<CalibrationForm> forms) {
    Map<Integer, StringBuilder> texts = new TreeMap<>();
    for (int i = 0; i < forms.size(); i++) {
      CalibrationForm form = forms.get(i);
      texts
          .computeIfAbsent(form.architecture(), CalibrationModule::header)
          .append(form.kernel(kernelName(i)));
    }
    Map<Integer, String> modules = new TreeMap<>();
    texts.forEach((architecture, text) -> modules.put(architecture, text.toString()));
    return modules;
  }

  private static StringBuilder header(int architecture) {
    return new StringBuilder(architecture < 89 ? ".version 7.0" : ".version 8.1")
        .append("\n.target sm_")
        .append(architecture)
        .append("\n.address_size 64\n\n");
  }

  private static String kernelName(int form) {
    return "form_" + form;
  }

  /// Runs every form over its inputs.
  ///
  /// @return output rows by form name
  static Map<String, byte[]> run(KernelDevice device, List<CalibrationForm> forms) {
    Map<String, byte[]> results = new LinkedHashMap<>();
    ptx(forms)
        .forEach((architecture, text) -> results.putAll(run(device, forms, architecture, text)));
    return results;
  }

  private static Map<String, byte[]> run(
      KernelDevice device, List<CalibrationForm> forms, int architecture, String text) {
    Map<String, byte[]> results = new LinkedHashMap<>();
    try (CudaModule module = CudaModule.load(device.context(), "calibration", text)) {
      for (int i = 0; i < forms.size(); i++) {
        CalibrationForm form = forms.get(i);
        if (form.architecture() != architecture) {
          continue;
        }
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
