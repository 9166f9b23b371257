// The emulator's cubin: this header, then the bytes of a shared library with a KernelTable. It can
// be kept in a file and loaded later, by an emulator built from the same sources.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>

#ifndef EMULATION_SOURCES
#error "build.sh defines EMULATION_SOURCES, a hash of the emulator's sources"
#endif

namespace emulation {

struct ImageHeader {
  char magic[24];
  uint64_t sources;  // EMULATION_SOURCES of the compiler
  uint64_t bytes;
  uint64_t checksum;         // of the library
  uint64_t header_checksum;  // of the fields above
};

constexpr char image_magic[24] = "mola emulated cubin v1\n";

// FNV-1a
inline uint64_t checksum(const void* data, size_t bytes) {
  uint64_t hash = 0xcbf29ce484222325ull;
  for (size_t i = 0; i < bytes; i++) {
    hash = (hash ^ static_cast<const unsigned char*>(data)[i]) * 0x100000001b3ull;
  }
  return hash;
}

inline ImageHeader image_header(const void* library, size_t bytes) {
  ImageHeader h{};
  memcpy(h.magic, image_magic, sizeof h.magic);
  h.sources = EMULATION_SOURCES;
  h.bytes = bytes;
  h.checksum = checksum(library, bytes);
  h.header_checksum = checksum(&h, offsetof(ImageHeader, header_checksum));
  return h;
}

}  // namespace emulation
