package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Compiles the instructions of a kernel, one by one, into steps.
final class KernelCompiler {
  private final Slots slots;
  private final int target;

  private KernelCompiler(Slots slots, int target) {
    this.slots = slots;
    this.target = target;
  }

  /// @throws PtxException naming module, kernel, line and text of what is not emulated
  static Program compile(
      PtxModule module, PtxKernel kernel, Map<String, MemoryRegion> moduleVariables) {
    Slots slots = new Slots(kernel, new Symbols(kernel, moduleVariables));
    KernelCompiler compiler = new KernelCompiler(slots, module.target());
    List<Step> steps = new ArrayList<>();
    for (PtxInstruction instruction : kernel.instructions()) {
      try {
        steps.add(compiler.step(instruction, steps.size()));
      } catch (IllegalArgumentException e) {
        throw instruction
            .refuse(e.getMessage())
            .within(module.name() + ": kernel " + kernel.name());
      }
    }
    return new Program(kernel, steps, slots);
  }

  private Step step(PtxInstruction instruction, int index) {
    Predicate guard = instruction.guard() == null ? null : slots.predicate(instruction.guard());
    Form form = new Form(instruction, slots, target);
    return switch (instruction.opcode()) {
      case "bra" -> {
        form.ignore("uni");
        form.finish(1);
        int[] targets = {target(instruction, form.operand(0))};
        yield new Step(instruction, index, Step.Kind.BRANCH, null, guard, targets, 0, null);
      }
      case "brx" -> indexedBranch(form, index, guard);
      case "ret", "exit" -> {
        form.ignore("uni");
        form.finish(0);
        yield new Step(instruction, index, Step.Kind.EXIT, null, guard, null, 0, null);
      }
      case "bar", "barrier" -> {
        if (form.take("warp")) {
          yield warpBarrier(form, index, guard);
        }
        yield barrier(form, index, guard);
      }
      default -> {
        OperationCompiler.Compiled compiled = OperationCompiler.compile(form);
        Step.Kind kind = compiled.synchronous() ? Step.Kind.WARP_SYNC : Step.Kind.ORDINARY;
        yield new Step(
            instruction, index, kind, compiled.operation(), guard, null, compiled.members(), null);
      }
    };
  }

  private static int target(PtxInstruction instruction, PtxOperand operand) {
    if (operand instanceof PtxOperand.Symbol label) {
      return target(instruction, label.name());
    }
    throw new IllegalArgumentException("the target is no label");
  }

  private static int target(PtxInstruction instruction, String label) {
    Integer target = instruction.scope().target(label);
    if (target == null) {
      throw new IllegalArgumentException("no label `" + label + "`");
    }
    return target;
  }

  private static Step indexedBranch(Form form, int index, Predicate guard) {
    PtxInstruction instruction = form.instruction();
    form.ignore("idx", "uni");
    form.finish(2);
    if (!(form.operand(1) instanceof PtxOperand.Symbol list)) {
      throw new IllegalArgumentException("the list of targets is no label");
    }
    List<String> labels = instruction.scope().branchTargets(list.name());
    if (labels == null) {
      throw new IllegalArgumentException("no .branchtargets `" + list.name() + "`");
    }
    int[] targets = labels.stream().mapToInt(x -> target(instruction, x)).toArray();
    int slot = form.in(0, PtxType.U32);
    return new Step(instruction, index, Step.Kind.BRANCH_INDEXED, null, guard, targets, slot, null);
  }

  private static Step warpBarrier(Form form, int index, Predicate guard) {
    form.ignore("sync");
    form.finish(1);
    Operation operation = (warp, _) -> warp.nextWarpEpoch();
    int members = form.in(0, PtxType.B32);
    return new Step(
        form.instruction(), index, Step.Kind.WARP_SYNC, operation, guard, null, members, null);
  }

  /// Barriers of the whole block; those of a part of its threads are refused.
  private static Step barrier(Form form, int index, Predicate guard) {
    form.ignore("cta", "aligned");
    BarrierReduction reduction = null;
    int number = 0;
    if (form.take("red")) {
      String operation = form.takeOneOf("popc", "and", "or");
      PtxType type = form.takeType();
      if (operation == null) {
        throw new IllegalArgumentException("an operation is missing");
      }
      reduction = new BarrierReduction(operation, form.out(0, type), form.predicate(2));
      number = 1;
      form.finish(3);
    } else if (form.take("sync")) {
      form.finish(1);
    } else {
      throw new IllegalArgumentException("this barrier is not emulated");
    }
    return new Step(
        form.instruction(),
        index,
        Step.Kind.BARRIER,
        null,
        guard,
        null,
        form.in(number, PtxType.U32),
        reduction);
  }
}
