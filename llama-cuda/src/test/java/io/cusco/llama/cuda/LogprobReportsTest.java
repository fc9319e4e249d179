package io.cusco.llama.cuda;

import static org.assertj.core.api.Assertions.assertThat;

import io.cusco.llama.sampling.TokenLogprobs;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import org.junit.jupiter.api.Test;

class LogprobReportsTest {
  @Test
  void theLargestVocabularyOfEqualLogitsIsUniform() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment report = arena.allocate(LogprobReports.REPORT_BYTES, Long.BYTES);
      report.set(ValueLayout.JAVA_LONG, 0, Long.MIN_VALUE); // 2^44 for each of 2^19
      TokenLogprobs logprobs = LogprobReports.read(report, 0, 5);
      assertThat(logprobs.logprob()).isEqualTo((float) -Math.log(SamplingKernels.MAX_VOCAB_SIZE));
    }
  }
}
