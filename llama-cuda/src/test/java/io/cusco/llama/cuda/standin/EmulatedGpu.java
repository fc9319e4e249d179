package io.cusco.llama.cuda.standin;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/// Runs a test class on the stand-in: every test gets a device that nothing has touched, and fails
/// if it leaves something allocated. Parameters of type `CudaContext` and [StandIn] are supplied.
///
/// The seed for the order of streams, blocks and warps is printed; `-Dllama.standin.seed=N` repeats
/// it.
@Tag("emulated")
@ExtendWith({EmulatedGpuExtension.class, StandInFaults.class})
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
public @interface EmulatedGpu {}
