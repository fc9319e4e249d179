# Sourced by the scripts beside it. Finds a JDK of at least version 25 without starting any JVM:
# each candidate's `release` file states its version.

MIN_JDK=25

jdk_version() {
  # Prints the feature version of the JDK in $1, nothing if there is none.
  [ -x "$1/bin/java" ] && [ -r "$1/release" ] || return 0
  sed -n 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' "$1/release"
}

jdk_candidates() {
  [ -n "${LLAMA_JAVA_HOME:-}" ] && printf '%s\n' "$LLAMA_JAVA_HOME"
  [ -n "${JAVA_HOME:-}" ] && printf '%s\n' "$JAVA_HOME"
  if command -v java >/dev/null 2>&1; then
    java_path=$(readlink -f "$(command -v java)" 2>/dev/null || command -v java)
    printf '%s\n' "${java_path%/bin/java}"
  fi
  for home in /usr/lib/jvm/* "$HOME"/.sdkman/candidates/java/* "$HOME"/.jdks/* \
    /Library/Java/JavaVirtualMachines/*/Contents/Home; do
    [ -d "$home" ] && printf '%s\n' "$home"
  done
  [ -x /usr/libexec/java_home ] && /usr/libexec/java_home -v "$MIN_JDK+" 2>/dev/null
  return 0
}

find_jdk() {
  # Prints the home of the first JDK that is new enough; otherwise says how to get one.
  found=$(jdk_candidates | while IFS= read -r home; do
    version=$(jdk_version "$home")
    if [ -n "$version" ] && [ "$version" -ge "$MIN_JDK" ]; then
      printf '%s\n' "$home"
      break
    fi
  done)
  if [ -n "$found" ]; then
    if [ -n "${LLAMA_JAVA_HOME:-}" ] && [ "$found" != "$LLAMA_JAVA_HOME" ]; then
      echo "llama: LLAMA_JAVA_HOME=$LLAMA_JAVA_HOME is no JDK $MIN_JDK or newer; taking $found" >&2
    fi
    printf '%s\n' "$found"
    return 0
  fi
  {
    echo "No JDK $MIN_JDK or newer was found. Get one with one of:"
    echo "  apt install openjdk-$MIN_JDK-jdk    or    sdk install java $MIN_JDK-tem"
    echo "  or set LLAMA_JAVA_HOME to the folder of an unpacked JDK $MIN_JDK."
  } >&2
  return 1
}
