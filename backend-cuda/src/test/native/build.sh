#!/bin/sh
# Builds CUDA libraries that run on the CPU: build.sh FOLDER
# Prints the folder inside it that holds them, named after the hash of these sources, and builds only
# if it is not there yet. Without g++, or on another machine than Linux on x86-64, it says so and
# prints nothing; with CI=true that is a failure.
set -eu
here=$(CDPATH='' cd "$(dirname "$0")" && pwd -P)
mkdir -p "${1:?build.sh FOLDER}"
into=$(CDPATH='' cd "$1" && pwd -P)

unusable() {
  echo "CUDA emulation: $1" >&2
  [ "${CI:-}" != true ] || exit 1
  exit 0
}

[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || unusable "needs Linux on x86-64"
command -v g++ >/dev/null || unusable "needs g++ to build its libraries, which was not found"

# the compiler belongs to the hash, and the processor, since the libraries are built for this machine
hash=$({ cd "$here" && cat build.sh */*.h */*.cpp; g++ -march=native -Q --help=target; g++ -dumpfullversion; } |
  sha256sum | cut -c 1-16)
out=$into/$hash
[ -e "$out/libcublas.so.13" ] && { echo "$out"; exit 0; }

# built aside and renamed: two builds at once do not meet
work=$(mktemp -d "$into/building.XXXXXX")
trap 'rm -rf "$work"' EXIT
flags="-std=gnu++17 -O2 -march=native -fPIC -shared -fvisibility=hidden -Wall -Wextra -Werror -DEMULATION_SOURCES=0x${hash}ull"

# The JNI glue asks for symbol versions named after the library.
versioned() { # name, then sources and libraries
  name=$1
  shift
  printf '%s { global: *; };\n' "$name" >"$work/$name.map"
  g++ $flags "$@" -o "$work/$name" -Wl,-soname,"$name" -Wl,--version-script="$work/$name.map"
  rm "$work/$name.map"
}

cp "$here"/kernel/*.h "$work/"
g++ $flags "$here"/driver/*.cpp -o "$work/libcuda.so.1" -Wl,-soname,libcuda.so.1 -ldl -lpthread &
driver=$!
echo >"$work/empty.cpp"
versioned libcudart.so.13 "$work/empty.cpp"
versioned libcublasLt.so.13 "$work/empty.cpp"
rm "$work/empty.cpp"
wait $driver
versioned libnvrtc.so.13 "$here"/nvrtc/*.cpp "$work/libcuda.so.1" -Wl,-rpath,'$ORIGIN'
versioned libcublas.so.13 "$here"/blas/*.cpp "$work/libcuda.so.1" -Wl,-rpath,'$ORIGIN'
g++ -std=gnu++17 -O1 -Wall -Wextra -Werror "$here"/test/*.cpp -o "$work/emulation-test" \
  "$work/libcuda.so.1" "$work/libnvrtc.so.13" "$work/libcublas.so.13" -Wl,-rpath,'$ORIGIN' -lpthread
mv -T "$work" "$out" 2>/dev/null || [ -e "$out/libcublas.so.13" ]
echo "$out"
