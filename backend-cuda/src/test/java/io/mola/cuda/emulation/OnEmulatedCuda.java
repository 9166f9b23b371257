package io.mola.cuda.emulation;

import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;

/**
 * A test of the CUDA backend on libraries that compute on the CPU ({@link EmulatedCuda}). The build
 * runs these in processes of their own; classes named {@code *OpsTest} with threads in forward,
 * reverse and shuffled order.
 */
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@Inherited
@Tag("emulated")
@ExtendWith(EmulatedCuda.class)
public @interface OnEmulatedCuda {}
