package io.mola.simd.work;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class WorkspaceTest {
  @Test
  void slabsOfOneOperationDoNotOverlap() {
    Workspace workspace = new Workspace();
    for (int round = 0; round < 3; round++) {
      workspace.reset();
      Workspace.Ints a = workspace.ints(5);
      Workspace.Ints b = workspace.ints(40);
      Workspace.Ints c = workspace.ints(round * 100);
      assertThat(a.data() == b.data() && a.offset() + 5 > b.offset()).isFalse();
      assertThat(b.data() == c.data() && b.offset() + 40 > c.offset()).isFalse();
      assertThat(c.data().length - c.offset()).isGreaterThanOrEqualTo(round * 100);
    }
  }

  @Test
  void theSecondRoundOfTheSameSizesAllocatesNothing() {
    Workspace workspace = new Workspace();
    workspace.floats(1000);
    workspace.floats(500);
    workspace.reset();
    float[] first = workspace.floats(1000).data();
    assertThat(workspace.floats(500).data()).isSameAs(first);
    workspace.reset();
    assertThat(workspace.floats(1500).data()).isSameAs(first);
  }

  @Test
  void whatIsReservedIsThereFromTheFirstOperationOn() {
    Workspace workspace = new Workspace();
    workspace.reserve(208, 1520);
    float[] floats = workspace.floats(1000).data();
    assertThat(workspace.floats(500).data()).isSameAs(floats).hasSize(1520);
    assertThat(workspace.ints(200).data()).hasSize(208);
    workspace.reset();
    assertThat(workspace.floats(1500).data()).isSameAs(floats);
  }
}
