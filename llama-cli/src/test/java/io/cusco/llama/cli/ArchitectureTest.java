package io.cusco.llama.cli;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.core.domain.properties.HasOwner.Predicates.With.owner;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.lang.foreign.AddressLayout;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import org.junit.jupiter.api.Test;

/// Which room may know which. Modules say the same to the compiler; these rules hold without them.
class ArchitectureTest {
  private static final String CLI = "io.cusco.llama.cli..";
  private static final String CPU = "io.cusco.llama.cpu..";
  private static final String CUDA = "io.cusco.llama.cuda..";

  /// Generated, but for the few classes that choose the library.
  private static final String BINDINGS = "io.cusco.llama.cuda.bindings..";

  /// Test helpers of core, which its test-jar holds.
  private static final String TESTKIT = "io.cusco.llama.testkit..";

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .withImportOption(location -> !location.contains("-tests.jar"))
          .importPackages("io.cusco.llama");

  @Test
  void coreKnowsNoBackendAndNoProgram() {
    noClasses()
        .that()
        .resideOutsideOfPackages(CLI, CPU, CUDA)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(CLI, CPU, CUDA)
        .check(CLASSES);
  }

  @Test
  void backendsKnowNeitherEachOtherNorTheProgram() {
    noClasses()
        .that()
        .resideInAPackage(CPU)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(CUDA, CLI)
        .check(CLASSES);
    noClasses()
        .that()
        .resideInAPackage(CUDA)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(CPU, CLI)
        .check(CLASSES);
  }

  @Test
  void theProgramFindsBackendsAtRunTime() {
    noClasses()
        .that()
        .resideInAPackage(CLI)
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage(CPU, CUDA)
        .check(CLASSES);
  }

  /// What a server will share with `batch` must not come to lean on either.
  @Test
  void theApisRoomKnowsNeitherFilesNorCommands() {
    noClasses()
        .that()
        .resideInAnyPackage("io.cusco.llama.cli.openai..", "io.cusco.llama.cli.json..")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("io.cusco.llama.cli", "io.cusco.llama.cli.batch..")
        .check(CLASSES);
    noClasses()
        .that()
        .resideInAPackage("io.cusco.llama.cli.batch..")
        .should()
        .dependOnClassesThat()
        .resideInAPackage("io.cusco.llama.cli")
        .check(CLASSES);
  }

  @Test
  void onlyTheProgramPrints() {
    noClasses()
        .that()
        .resideOutsideOfPackages(CLI, TESTKIT, BINDINGS)
        .should()
        .accessField(System.class, "out")
        .orShould()
        .accessField(System.class, "err")
        .check(CLASSES);
  }

  /// Methods that can crash the JVM; the launcher grants them to modules, this to packages.
  @Test
  void onlyMemoryAndTheDriverCallRestrictedMethods() {
    noClasses()
        .that()
        .resideOutsideOfPackages(
            "io.cusco.llama.memory..", "io.cusco.llama.cuda.driver..", BINDINGS)
        .should()
        .callMethodWhere(
            target(owner(assignableTo(MemorySegment.class)))
                .and(target(nameMatching("reinterpret"))))
        .orShould()
        .callMethodWhere(
            target(owner(assignableTo(Linker.class)))
                .and(target(nameMatching("downcallHandle|upcallStub"))))
        .orShould()
        .callMethodWhere(
            target(owner(assignableTo(SymbolLookup.class)))
                .and(target(nameMatching("libraryLookup"))))
        .orShould()
        .callMethodWhere(
            target(owner(assignableTo(AddressLayout.class)))
                .and(target(nameMatching("withTargetLayout"))))
        .orShould()
        .callMethodWhere(
            target(owner(assignableTo(System.class))).and(target(nameMatching("load|loadLibrary"))))
        .check(CLASSES);
  }
}
