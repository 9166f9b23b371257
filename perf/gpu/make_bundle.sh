#!/bin/sh
# Makes one archive that measures mola on a Linux machine with an NVIDIA driver and the CUDA 13
# libraries (pip's or installed), without Java:
#
#   perf/gpu/make_bundle.sh [--built] [--loose] [ARCHIVE.tar.xz]   default perf/target/mola-gpu.tar.xz
#
# There: tar xJf mola-gpu.tar.xz && mola-gpu/measure.sh
#
# --built takes what the last build packed in cli/target/dist and perf/target instead of building;
# --loose compresses in a tenth of the time, to try an archive here: it may be larger than 30 MB.
#
# Needs a JDK 25 with jlink (JAVA_HOME or MOLA_JAVA_HOME), Maven, zip and unzip. Recorded cases go in
# where MOLA_FIXTURES or ../shared/fixtures has them.
set -eu
here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
root=$(CDPATH='' cd "$here/../.." && pwd -P)
built=
preset=6
while :; do
  case ${1:-} in
    --built) built=yes ;;
    --loose) preset=0 ;;
    *) break ;;
  esac
  shift
done
archive=${1:-$root/perf/target/mola-gpu.tar.xz}
java=${MOLA_JAVA_HOME:-${JAVA_HOME:-}}
fixtures=${MOLA_FIXTURES:-$root/../shared/fixtures}
[ -x "$java/bin/jlink" ] || {
  echo "make_bundle.sh: set JAVA_HOME to a JDK 25 with jlink" >&2
  exit 2
}

[ -n "$built" ] || (cd "$root" && JAVA_HOME=$java mvn -q -B -ntp -P '!format' -Dmaven.test.skip=true -pl cli,perf -am package)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
bundle=$work/mola-gpu
mkdir -p "$bundle/lib"

# glibc is all that this runtime needs. Not compressed here: xz does better over the whole.
"$java/bin/jlink" --add-modules java.base,java.logging,java.management,java.xml,jdk.incubator.vector,jdk.management,jdk.unsupported \
  --strip-debug --no-header-files --no-man-pages --compress zip-0 --output "$bundle/rt"

# Jars without what only other machines, chat templates or JMH need, and stored, for the same reason:
# the archive measures, it does not chat.
for jar in "$root"/cli/target/dist/lib/*.jar "$root"/perf/target/lib/*.jar "$root"/perf/target/perf-*.jar; do
  name=$(basename "$jar")
  case $name in
    guava-* | failureaccess-* | listenablefuture-* | jackson-*-2.2[0-9].*.jar | snakeyaml-2* | javassist-* | commons-* | \
      re2j-* | derive4j-* | immutable* | checker-qual-* | java-ipv6-* | big-math-* | algebra-* | encode-* | hubspot-* | \
      jopt-* | j2objc-* | error_prone_*) continue ;;
  esac
  [ ! -e "$bundle/lib/$name" ] || continue
  rm -rf "$work/jar" && mkdir "$work/jar"
  (cd "$work/jar" && unzip -q -o "$jar")
  case $name in
    tokenizers-*) rm -rf "$work"/jar/nlp && find "$work/jar/native/lib" -mindepth 1 -maxdepth 1 -type d ! -name linux-x86_64 -exec rm -rf {} + ;;
    jna-*) find "$work/jar/com/sun/jna" -name '*.so' -o -name '*.dll' -o -name '*.jnilib' -o -name '*.a' | grep -v /linux-x86-64/ | xargs rm -f ;;
    byte-buddy-*) # holds everything twice, for Java 5 and for Java 9 and later
      mv "$work/jar/META-INF/versions/9/module-info.class" "$work/jar/" && rm -rf "$work/jar/META-INF/versions" ;;
    cuda-*-linux-x86_64.jar) find "$work/jar" -name '*.so' ! -name libjnicudart.so ! -name libjninvrtc.so ! -name libjnicublas.so -delete ;;
  esac
  (cd "$work/jar" && zip -q -0 -D -r "$bundle/lib/$name" .)
done

cp "$here/measure.sh" "$here/torch_rates.py" "$bundle/"
cp "$here/launcher.sh" "$bundle/mola"
cp -R "$root/cli/src/main/dist/embedded" "$bundle/embedded"
# one recorded case: the archive is for measuring, the tests replay them all
if [ -d "$fixtures/golden/mola-step/masked" ]; then
  mkdir -p "$bundle/golden/mola-step"
  cp -R "$fixtures/golden/mola-step/masked" "$bundle/golden/mola-step/"
  chmod -R u+w "$bundle/golden"
fi

mkdir -p "$(dirname "$archive")"
tar -C "$work" -c mola-gpu | xz -T 1 --x86 --lzma2=preset=$preset >"$archive"
size=$(wc -c <"$archive")
echo "$archive: $size bytes"
[ "$size" -lt 30000000 ] || [ $preset = 0 ] || {
  echo "make_bundle.sh: more than 30 MB" >&2
  exit 1
}
