package io.cusco.llama.cuda.standin;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;

/// A library whose functions are Java methods: the method of the same name becomes an upcall stub
/// when the symbol is asked for first.
///
/// The C signature is the one in the generated binding, so a method with another one is refused
/// instead of being called with garbage. A symbol without a method is missing, as in a library that
/// is too old.
final class StandInSymbols implements SymbolLookup {
  private final Class<?> bindings;
  private final List<?> rooms;
  private final StandIn standIn;
  private final Map<String, Optional<MemorySegment>> stubs = new ConcurrentHashMap<>();

  /// @param bindings the generated class, which has a `NAME$descriptor()` for every function
  /// @param rooms objects whose non-private methods named cu... are the functions
  StandInSymbols(Class<?> bindings, List<?> rooms, StandIn standIn) {
    this.bindings = bindings;
    this.rooms = rooms;
    this.standIn = standIn;
  }

  /// Holds no lock while it links: a generated class may be waiting in its initialiser, in another
  /// thread.
  @Override
  public Optional<MemorySegment> find(String name) {
    Optional<MemorySegment> known = stubs.get(name);
    if (known == null) {
      stubs.putIfAbsent(name, link(name));
      known = stubs.get(name);
    }
    return known;
  }

  private Optional<MemorySegment> link(String name) {
    for (Object room : rooms) {
      for (Method method : room.getClass().getDeclaredMethods()) {
        if (method.getName().equals(name)) {
          return Optional.of(stub(room, method));
        }
      }
    }
    return Optional.empty();
  }

  private MemorySegment stub(Object room, Method method) {
    FunctionDescriptor descriptor = descriptor(method.getName());
    try {
      MethodHandle function = MethodHandles.lookup().unreflect(method).bindTo(room);
      if (!function.type().equals(descriptor.toMethodType())) {
        throw new AssertionError(
            "%s is %s in the bindings, but %s in the stand-in"
                .formatted(method.getName(), descriptor.toMethodType(), function.type()));
      }
      MethodHandle guarded =
          MethodHandles.lookup()
              .findVirtual(
                  StandIn.class,
                  "call",
                  MethodType.methodType(
                      Object.class, String.class, MethodHandle.class, Object[].class));
      int numParameters = function.type().parameterCount();
      MethodHandle stub =
          MethodHandles.insertArguments(
                  guarded,
                  0,
                  standIn,
                  method.getName(),
                  function.asSpreader(Object[].class, numParameters))
              .asCollector(Object[].class, numParameters)
              .asType(function.type());
      return Linker.nativeLinker().upcallStub(stub, descriptor, Arena.global());
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(method.toString(), e);
    }
  }

  /// The generated classes ask for a symbol while they are initialised, and this asks them back.
  /// The same thread may: their descriptor is set before the address.
  private FunctionDescriptor descriptor(String name) {
    try {
      return (FunctionDescriptor) bindings.getMethod(name + "$descriptor").invoke(null);
    } catch (NoSuchMethodException e) {
      throw new LinkageError("the stand-in has " + name + ", " + bindings + " has not", e);
    } catch (IllegalAccessException | InvocationTargetException e) {
      throw new LinkageError(name, e);
    }
  }
}
