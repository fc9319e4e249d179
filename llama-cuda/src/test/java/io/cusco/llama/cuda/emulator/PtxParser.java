package io.cusco.llama.cuda.emulator;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads a PTX module. What is not emulated is refused here where its syntax tells (functions),
/// else when the instructions are compiled, which is at load too.
final class PtxParser {
  private static final Pattern HEADER =
      Pattern.compile("(?:\\.\\w+ )*\\.entry ([\\w$]+) ?\\((.*?)\\)(.*)");
  private static final Pattern BOUND = Pattern.compile("\\.(maxntid|reqntid) ([\\d, ]+)");
  private static final Pattern TARGET = Pattern.compile("sm_(\\d+)");
  private static final Pattern FAMILY = Pattern.compile("(\\S+)<(\\d+)>");

  private final List<PtxVariable> moduleVariables = new ArrayList<>();
  private final List<PtxKernel> kernels = new ArrayList<>();
  private Body body;

  /// The newest instructions of a text without a target are those of the oldest one emulated.
  private int target = 80;

  /// The kernel being read.
  private static final class Body {
    final String name;
    final List<PtxParameter> parameters;
    final int maxThreads;
    final List<PtxVariable> variables = new ArrayList<>();
    final List<PtxInstruction> instructions = new ArrayList<>();
    final PtxScope outer = PtxScope.ofKernel();
    PtxScope scope;

    Body(String name, List<PtxParameter> parameters, int maxThreads) {
      this.name = name;
      this.parameters = parameters;
      this.maxThreads = maxThreads;
    }
  }

  private PtxParser() {}

  static PtxModule parse(String moduleName, String ptx) {
    PtxParser parser = new PtxParser();
    try {
      for (PtxStatements.Statement statement : PtxStatements.split(ptx)) {
        parser.accept(statement);
      }
    } catch (PtxException e) {
      throw e.within(
          parser.body == null ? moduleName : moduleName + ": kernel " + parser.body.name);
    }
    return new PtxModule(moduleName, parser.target, parser.kernels, parser.moduleVariables);
  }

  private void accept(PtxStatements.Statement statement) {
    switch (statement.kind()) {
      case HEADER -> header(statement);
      case OPEN -> open(statement);
      case CLOSE -> close(statement);
      case LABEL -> {
        requireBody(statement);
        body.scope.label(statement.text(), body.instructions.size());
      }
      case TEXT -> {
        if (body == null) {
          moduleStatement(statement);
        } else {
          kernelStatement(statement);
        }
      }
    }
  }

  private void requireBody(PtxStatements.Statement statement) {
    if (body == null || body.scope == null) {
      throw PtxException.at(statement.line(), statement.text(), "stands outside of a kernel");
    }
  }

  private void header(PtxStatements.Statement statement) {
    Matcher matcher = HEADER.matcher(statement.text());
    if (!matcher.matches()) {
      throw PtxException.at(
          statement.line(), statement.text(), "functions are not emulated: inline them");
    }
    Matcher bound = BOUND.matcher(matcher.group(3));
    int maxThreads = 1024;
    if (bound.find()) {
      maxThreads =
          Arrays.stream(bound.group(2).strip().split(" ?, ?", -1))
              .mapToInt(Integer::parseInt)
              .reduce(1, (a, b) -> a * b);
    }
    body = new Body(matcher.group(1), parameters(matcher.group(2), statement.line()), maxThreads);
  }

  /// Parameters lie in order at their natural alignment (PTX ISA, "Kernel Function Parameters").
  private static List<PtxParameter> parameters(String text, int line) {
    List<PtxParameter> parameters = new ArrayList<>();
    int end = 0;
    for (String declaration : PtxOperandParser.split(text)) {
      String[] words = declaration.split(" ", -1);
      int alignment = 0;
      PtxType type = null;
      for (int i = 0; i < words.length - 1; i++) {
        if (words[i].equals(".ptr")) {
          break; // What follows describes the memory pointed to, not the parameter.
        } else if (words[i].equals(".align")) {
          alignment = Integer.parseInt(words[++i]);
        } else if (!words[i].equals(".param")) {
          type = PtxType.named(words[i].substring(1));
        }
      }
      if (type == null) {
        throw PtxException.at(line, declaration, "a parameter of this type is not emulated");
      }
      String name = words[words.length - 1];
      int numBytes = type.numBytes();
      int bracket = name.indexOf('[');
      if (bracket >= 0) {
        numBytes *= Integer.parseInt(name.substring(bracket + 1, name.indexOf(']')));
        name = name.substring(0, bracket);
      }
      alignment = Math.max(alignment, type.numBytes());
      int offset = (end + alignment - 1) / alignment * alignment;
      parameters.add(new PtxParameter(name, offset, numBytes, alignment));
      end = offset + numBytes;
    }
    return parameters;
  }

  private void open(PtxStatements.Statement statement) {
    if (body == null) {
      throw PtxException.at(statement.line(), "{", "stands outside of a kernel");
    }
    body.scope = body.scope == null ? body.outer : body.scope.inner();
  }

  private void close(PtxStatements.Statement statement) {
    requireBody(statement);
    body.scope = body.scope.parent();
    if (body.scope == null) {
      addModuleSharedVariables();
      kernels.add(
          new PtxKernel(
              body.name,
              body.parameters,
              body.maxThreads,
              body.variables,
              body.instructions,
              body.outer.numNarrowRegisters(),
              body.outer.numWideRegisters()));
      body = null;
    }
  }

  /// Shared variables of the module lie in the shared memory of the kernels that name them.
  private void addModuleSharedVariables() {
    for (PtxVariable variable : moduleVariables) {
      if (variable.space().equals("shared")
          && body.instructions.stream().anyMatch(x -> x.names(variable.name()))) {
        body.variables.add(variable);
      }
    }
  }

  private void moduleStatement(PtxStatements.Statement statement) {
    String text = statement.text();
    if (text.startsWith(".version ")) {
      return;
    }
    if (text.startsWith(".target ")) {
      Matcher architecture = TARGET.matcher(text);
      if (!architecture.find()) {
        throw PtxException.at(statement.line(), text, "the target is no sm_ architecture");
      }
      target = Integer.parseInt(architecture.group(1));
      return;
    }
    if (text.startsWith(".address_size ")) {
      if (!text.endsWith(" 64")) {
        throw PtxException.at(statement.line(), text, "only 64-bit addresses are emulated");
      }
      return;
    }
    if (text.startsWith(".file ") || text.startsWith(".loc ") || text.startsWith(".pragma ")) {
      return;
    }
    if (text.contains(".func")) {
      throw PtxException.at(
          statement.line(), text, "functions (printf, assert, debug builds) are not emulated");
    }
    moduleVariables.add(PtxVariableParser.parse(text, statement.line()));
  }

  private void kernelStatement(PtxStatements.Statement statement) {
    requireBody(statement);
    String text = statement.text();
    if (text.startsWith(".reg ")) {
      declareRegisters(statement);
    } else if (text.startsWith(".shared ") || text.startsWith(".local ")) {
      body.variables.add(PtxVariableParser.parse(text, statement.line()));
    } else if (text.startsWith(".branchtargets ")) {
      declareBranchTargets(statement);
    } else if (text.startsWith(".")) {
      if (!text.startsWith(".loc") && !text.startsWith(".pragma")) {
        throw PtxException.at(statement.line(), text, "this directive is not emulated");
      }
    } else {
      body.instructions.add(instruction(statement));
    }
  }

  private void declareRegisters(PtxStatements.Statement statement) {
    String[] words = statement.text().split(" ", 3);
    PtxType type = PtxType.named(words[1].substring(1));
    if (type == null) {
      throw PtxException.at(
          statement.line(), statement.text(), "registers of this type are not emulated");
    }
    for (String name : words[2].split(" ?, ?", -1)) {
      Matcher family = FAMILY.matcher(name);
      if (family.matches()) {
        body.scope.declareFamily(family.group(1), type, Integer.parseInt(family.group(2)));
      } else {
        body.scope.declare(name, type);
      }
    }
  }

  /// The list's name is the label in front of it.
  private void declareBranchTargets(PtxStatements.Statement statement) {
    List<String> targets =
        PtxOperandParser.split(statement.text().substring(".branchtargets ".length()));
    body.scope.branchTargets(targets);
  }

  private PtxInstruction instruction(PtxStatements.Statement statement) {
    String text = statement.text();
    try {
      PtxOperand.Register guard = null;
      String rest = text;
      if (rest.startsWith("@")) {
        int space = rest.indexOf(' ');
        if (space < 0
            || !(PtxOperandParser.parse(rest.substring(1, space), body.scope)
                instanceof PtxOperand.Register register)) {
          throw new IllegalArgumentException("the guard is no predicate");
        }
        guard = register;
        rest = rest.substring(space + 1);
      }
      int space = rest.indexOf(' ');
      String[] name = (space < 0 ? rest : rest.substring(0, space)).split("\\.", -1);
      String operands = space < 0 ? "" : rest.substring(space + 1);
      List<PtxOperand> parsed = new ArrayList<>();
      if (name[0].equals("call")) {
        throw new IllegalArgumentException("calls are not emulated");
      }
      for (String operand : PtxOperandParser.split(operands)) {
        parsed.add(PtxOperandParser.parse(operand, body.scope));
      }
      List<String> modifiers = List.of(name).subList(1, name.length);
      return new PtxInstruction(
          statement.line(), text, guard, name[0], modifiers, parsed, body.scope);
    } catch (IllegalArgumentException e) {
      throw PtxException.at(statement.line(), text, e.getMessage());
    }
  }
}
