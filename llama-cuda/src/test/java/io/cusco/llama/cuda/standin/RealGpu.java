package io.cusco.llama.cuda.standin;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/// Runs a test class on an NVIDIA GPU. Where there is none it is aborted with the reason, never
/// passed. A parameter of type `CudaContext` is supplied.
@Tag("gpu")
@ExtendWith(RealGpuExtension.class)
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
public @interface RealGpu {}
