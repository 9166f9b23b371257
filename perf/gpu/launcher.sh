#!/bin/sh
# Starts mola from the folder that make_bundle.sh packs, without an installed Java: ./mola COMMAND ...
#
#   MOLA_MAIN        another program of the bundle to start, as MODULE/CLASS
#   MOLA_UNDER       a command to run Java under, with its arguments
#   MOLA_JAVA_CACHE  folder for what JavaCPP unpacks, by default its own
set -u
here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)

# pip keeps the libraries of CUDA 13 in nvidia/cu13/lib; the driver's own are on the loader's path
wheels=$(python3 - 2>/dev/null <<'PYTHON'
import glob, os
try:
    import nvidia
    print(":".join(sorted({os.path.dirname(p) for base in nvidia.__path__ for p in glob.glob(base + "/*/lib/lib*.so*")})))
except ImportError:
    pass
PYTHON
)
export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}${wheels:+$wheels:}/usr/local/cuda/lib64"
linkpath=$(printf '%s' "$LD_LIBRARY_PATH" | tr ':' '\n' | while read -r each; do
  [ -e "$each/libcublas.so.13" ] && printf '%s' "$each" && break
done)

# shellcheck disable=SC2086 # words of a command
exec ${MOLA_UNDER:-} "$here/rt/bin/java" \
  --add-modules jdk.incubator.vector,io.mola.cli,org.bytedeco.cuda.linux.x86_64,org.bytedeco.javacpp.linux.x86_64,org.slf4j.nop,com.google.gson,com.sun.jna \
  --enable-native-access ai.djl.tokenizers,com.sun.jna,io.mola.cli,io.mola.cuda,org.bytedeco.cuda,org.bytedeco.javacpp \
  -XX:MaxRAMPercentage=50 -XX:+UseSerialGC \
  ${MOLA_JAVA_CACHE:+-Dorg.bytedeco.javacpp.cachedir="$MOLA_JAVA_CACHE"} \
  ${linkpath:+-Dorg.bytedeco.javacpp.platform.linkpath="$linkpath"} \
  -p "$here/lib" -m "${MOLA_MAIN:-io.mola.cli/io.mola.cli.Mola}" "$@"
