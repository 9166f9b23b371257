package io.mola.cli;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.core.domain.AccessTarget.CodeUnitAccessTarget;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;

/** Knowledge flows one way: what the packages of the whole program may know of each other. */
class KnowledgeFlowTest {
  private static JavaClasses all;

  @BeforeAll
  static void importClasses() {
    all =
        new ClassFileImporter()
            .withImportOption(new ImportOption.DoNotIncludeTests())
            .importPackages("io.mola");
    List<String> modules = List.of("core", "gguf", "simd", "cuda", "testdata", "cli");
    for (String module : modules) {
      assertThat(all.stream().map(JavaClass::getPackageName))
          .as("classes of io.mola." + module)
          .anyMatch(name -> name.startsWith("io.mola." + module));
    }
  }

  @Test
  void packagesOfCoreAreFreeOfCycles() {
    slices().matching("io.mola.core.(*)..").should().beFreeOfCycles().check(all);
  }

  @Test
  void knowledgeFlowsFromTensorsToTraining() {
    layeredArchitecture()
        .consideringOnlyDependenciesInAnyPackage("io.mola.core..")
        .layer("failure")
        .definedBy("io.mola.core.failure")
        .layer("tensor")
        .definedBy("io.mola.core.tensor")
        .layer("quant")
        .definedBy("io.mola.core.quant")
        .layer("backend")
        .definedBy("io.mola.core.backend..")
        .layer("safetensors")
        .definedBy("io.mola.core.safetensors")
        .layer("weights")
        .definedBy("io.mola.core.weights")
        .layer("model")
        .definedBy("io.mola.core.model")
        .layer("adapter")
        .definedBy("io.mola.core.adapter")
        .layer("tokenizer")
        .definedBy("io.mola.core.tokenizer")
        .layer("data")
        .definedBy("io.mola.core.data")
        .layer("generate")
        .definedBy("io.mola.core.generate")
        .layer("train")
        .definedBy("io.mola.core.train")
        .layer("verify")
        .definedBy("io.mola.core.verify")
        .whereLayer("tensor")
        .mayOnlyAccessLayers("failure")
        .whereLayer("quant")
        .mayOnlyAccessLayers("failure", "tensor")
        .whereLayer("backend")
        .mayOnlyAccessLayers("failure", "tensor", "quant")
        .whereLayer("safetensors")
        .mayOnlyAccessLayers("failure", "quant")
        .whereLayer("weights")
        .mayOnlyAccessLayers("failure", "quant", "safetensors")
        .whereLayer("model")
        .mayOnlyAccessLayers("failure", "tensor", "quant", "backend", "weights")
        .whereLayer("adapter")
        .mayOnlyAccessLayers(
            "failure", "tensor", "quant", "backend", "safetensors", "weights", "model")
        .whereLayer("tokenizer")
        .mayOnlyAccessLayers("failure", "weights")
        .whereLayer("data")
        .mayOnlyAccessLayers("failure", "tokenizer")
        .whereLayer("generate")
        .mayOnlyAccessLayers("failure", "tensor", "backend", "weights", "model")
        .whereLayer("train")
        .mayOnlyBeAccessedByLayers("verify")
        .whereLayer("verify")
        .mayNotBeAccessedByAnyLayer()
        .check(all);
  }

  @Test
  void theVectorApiIsKnownToTheSimdBackendOnly() {
    noClasses()
        .that()
        .resideOutsideOfPackage("io.mola.simd..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("jdk.incubator.vector..")
        .check(all);
  }

  @Test
  void bytedecoIsKnownToTheCudaBackendOnly() {
    noClasses()
        .that()
        .resideOutsideOfPackage("io.mola.cuda..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("org.bytedeco..")
        .check(all);
  }

  @Test
  void backendsKnowTheContractAndNothingAboveIt() {
    noClasses()
        .that()
        .resideInAnyPackage("io.mola.simd..", "io.mola.cuda..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(
            "io.mola.core.safetensors..",
            "io.mola.core.weights..",
            "io.mola.core.model..",
            "io.mola.core.adapter..",
            "io.mola.core.tokenizer..",
            "io.mola.core.data..",
            "io.mola.core.train..",
            "io.mola.core.generate..",
            "io.mola.core.verify..")
        .check(all);
  }

  @Test
  void onlyTheCommandLinePrints() {
    noClasses()
        .that()
        .resideOutsideOfPackages("io.mola.cli..", "io.mola.perf..", "io.mola.testdata..")
        .should()
        .accessField(System.class, "out")
        .check(all);
  }

  @Test
  void randomNumbersHaveSeeds() {
    noClasses().should().callConstructor(Random.class).check(all);
    noClasses().should().callConstructor(java.util.SplittableRandom.class).check(all);
    noClasses().should().callMethod(Math.class, "random").check(all);
  }

  @Test
  void mappedMemoryIsTouchedByReadersAndBackendsOnly() {
    noClasses()
        .that()
        .resideOutsideOfPackages(
            "io.mola.core.quant..",
            "io.mola.core.safetensors..",
            "io.mola.core.weights..",
            "io.mola.core.verify..",
            "io.mola.gguf..",
            "io.mola.simd..",
            "io.mola.cuda..",
            "io.mola.testdata..")
        .should()
        .dependOnClassesThat()
        .belongToAnyOf(MemorySegment.class)
        .check(all);
  }

  @Test
  void onlyTheWorkerPoolStartsThreads() {
    noClasses()
        .that()
        .resideOutsideOfPackage("io.mola.simd.work..")
        .and()
        .doNotHaveFullyQualifiedName("io.mola.cli.Interruption") // a shutdown hook is a thread
        .should()
        .callCodeUnitWhere(describe("threads start", call -> startsThreads(call.getTarget())))
        .check(all);
  }

  @Test
  void everyOperationGroupHasADefinitionAContractAndVectorCode() {
    List<JavaClass> groups =
        all.stream()
            .filter(type -> type.getPackageName().equals("io.mola.core.backend"))
            .filter(JavaClass::isInterface)
            .filter(type -> type.getSimpleName().endsWith("Ops"))
            .toList();

    assertThat(groups).hasSize(8);
    for (JavaClass group : groups) {
      String name = group.getSimpleName();
      assertThat(
              List.of(
                  "io.mola.core.backend.Checked" + name,
                  "io.mola.core.backend.reference.Reference" + name,
                  "io.mola.simd.Simd" + name,
                  "io.mola.testdata.contract." + name + "Contract"))
          .allMatch(all::contain);
    }
  }

  private static boolean startsThreads(CodeUnitAccessTarget target) {
    JavaClass owner = target.getOwner();
    String name = target.getName();
    return switch (owner.getName()) {
      case "java.util.concurrent.Executors", "java.util.concurrent.ForkJoinPool" -> true;
      case "java.util.concurrent.CompletableFuture" -> name.endsWith("Async");
      case "java.util.Timer" -> name.equals("<init>");
      default ->
          owner.isAssignableTo(Thread.class)
              ? List.of("<init>", "ofPlatform", "ofVirtual", "startVirtualThread").contains(name)
              : name.equals("parallelStream") || name.equals("parallel");
    };
  }
}
