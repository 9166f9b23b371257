// Device and pinned memory: mappings of the process. With settings().guard an allocation ends, to
// 16 bytes, at a page that cannot be touched, and bytes before it are checked when it is freed.
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>

#include "calls.h"
#include "context.h"
#include "fibers.h"
#include "settings.h"
#include "streams.h"

namespace emulation {
namespace {

using DevicePointer = unsigned long long;

constexpr size_t page = 4096;
constexpr unsigned char margin_byte = 0xA5;
constexpr unsigned char fresh_byte = 0xFF;  // not a number in every floating type

struct Mapping {
  char* map;
  size_t mapped;  // with the guard page
  char* begin;
  size_t bytes;
};

struct Memory {
  std::map<uintptr_t, Mapping> device, pinned, registered;
  size_t used = 0;
};

Memory& memory() {
  static auto* all = new Memory;
  return *all;
}

size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

bool map_bytes(size_t bytes, Mapping& result) {
  size_t usable = round_up(bytes, page);
  void* map = mmap(nullptr, page + usable + page, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (map == MAP_FAILED) return false;
  char* first = static_cast<char*>(map) + page;
  mprotect(map, page, PROT_NONE);
  mprotect(first + usable, page, PROT_NONE);
  bool guard = settings().guard;
  char* begin = guard ? first + usable - round_up(bytes, 16) : first;
  if (guard) {
    memset(first, margin_byte, usable);
    memset(begin, fresh_byte, bytes);
  }
  result = {static_cast<char*>(map), page + usable + page, begin, bytes};
  return true;
}

bool intact(const char* from, const char* to) {
  for (const char* p = from; p < to; p++) {
    if (static_cast<unsigned char>(*p) != margin_byte) return false;
  }
  return true;
}

// What was written beside a guarded allocation shows when it is freed.
void check_margins(const Mapping& m) {
  const char* first = m.map + page;
  if (m.begin == first) return;
  if (!intact(first, m.begin) || !intact(m.begin + m.bytes, m.map + m.mapped - page)) {
    fprintf(stderr, "emulation: bytes beside an allocation of %zu bytes were overwritten\n", m.bytes);
    set_device_error(ILLEGAL_ADDRESS);
  }
}

const Mapping* containing(const std::map<uintptr_t, Mapping>& all, uintptr_t address) {
  auto after = all.upper_bound(address);
  if (after == all.begin()) return nullptr;
  const Mapping& m = std::prev(after)->second;
  return address < reinterpret_cast<uintptr_t>(m.map) + m.mapped ? &m : nullptr;
}

bool inside(const std::map<uintptr_t, Mapping>& all, uintptr_t address, size_t bytes) {
  const Mapping* m = containing(all, address);
  if (!m) return false;
  auto begin = reinterpret_cast<uintptr_t>(m->begin);
  return address >= begin && address + bytes <= begin + m->bytes;
}

bool on_device(DevicePointer pointer, size_t bytes) {
  return bytes == 0 || inside(memory().device, pointer, bytes);
}

bool is_pinned(const void* host, size_t bytes) {
  auto address = reinterpret_cast<uintptr_t>(host);
  return inside(memory().pinned, address, bytes) || inside(memory().registered, address, bytes);
}

char* at(DevicePointer pointer) { return reinterpret_cast<char*>(pointer); }

// From pageable memory the driver copies before it returns; from pinned memory the device reads
// when its turn comes.
int copy_up(DevicePointer to, const void* from, size_t bytes, void* handle) {
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  if (!on_device(to, bytes)) return INVALID_VALUE;
  if (is_pinned(from, bytes)) {
    return submit(*stream, work_of("copy to device", [=] {
                    memcpy(at(to), from, bytes);
                    return SUCCESS;
                  }));
  }
  std::string staged(static_cast<const char*>(from), bytes);
  return submit(*stream, work_of("copy to device", [to, staged] {
                  memcpy(at(to), staged.data(), staged.size());
                  return SUCCESS;
                }));
}

int copy_down(void* to, DevicePointer from, size_t bytes, void* handle) {
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  if (!on_device(from, bytes)) return INVALID_VALUE;
  int status = submit(*stream, work_of("copy to host", [=] {
                        memcpy(to, at(from), bytes);
                        return SUCCESS;
                      }));
  if (status == 0 && !stream->capture && !is_pinned(to, bytes)) finish(*stream);
  return status ? status : device_error();
}

int copy_within(DevicePointer to, DevicePointer from, size_t bytes, void* handle) {
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  if (!on_device(to, bytes) || !on_device(from, bytes)) return INVALID_VALUE;
  return submit(*stream, work_of("copy on device", [=] {
                  memmove(at(to), at(from), bytes);
                  return SUCCESS;
                }));
}

template <class T>
int fill(DevicePointer to, T value, size_t count, void* handle) {
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  if (to % sizeof(T) != 0 || !on_device(to, count * sizeof(T))) return INVALID_VALUE;
  return submit(*stream, work_of("fill", [=] {
                  for (size_t i = 0; i < count; i++) reinterpret_cast<T*>(to)[i] = value;
                  return SUCCESS;
                }));
}

int after_synchronous(int status) {
  if (status) return status;
  finish(*find_stream(nullptr));
  return device_error();
}

int allocate_pinned(void** host, size_t bytes) {
  Mapping m;
  if (bytes == 0) return INVALID_VALUE;
  if (int status = forbidden_by_capture()) return status;
  if (!map_bytes(bytes, m)) return OUT_OF_MEMORY;
  memory().pinned[reinterpret_cast<uintptr_t>(m.begin)] = m;
  emu_count("pinned allocation", 1);
  *host = m.begin;
  return SUCCESS;
}

}  // namespace

std::string describe_address(const void* address) {
  char text[120];
  auto value = reinterpret_cast<uintptr_t>(address);
  // a guard page in front belongs to no key of the map, so look a little further as well
  for (uintptr_t probe : {value, value + page}) {
    if (const Mapping* m = containing(memory().device, probe)) {
      long offset = static_cast<const char*>(address) - m->begin;
      snprintf(text, sizeof text, "byte %ld of an allocation of %zu bytes", offset, m->bytes);
      return text;
    }
  }
  return "in no allocation";
}

void destroy_allocations() {
  for (auto* all : {&memory().device, &memory().pinned}) {
    for (auto& [begin, m] : *all) munmap(m.map, m.mapped);
    all->clear();
  }
  memory().registered.clear();
  memory().used = 0;
}

}  // namespace emulation

using namespace emulation;

EXPORTED int cuMemGetInfo_v2(size_t* available, size_t* total) {
  CALL();
  *total = settings().memory;
  *available = *total - std::min(*total, memory().used);
  return SUCCESS;
}

EXPORTED int cuMemAlloc_v2(DevicePointer* pointer, size_t bytes) {
  CALL();
  if (bytes == 0) return INVALID_VALUE;
  if (int status = forbidden_by_capture()) return status;
  Mapping m;
  if (memory().used + bytes > settings().memory || !map_bytes(bytes, m)) return OUT_OF_MEMORY;
  memory().used += bytes;
  memory().device[reinterpret_cast<uintptr_t>(m.begin)] = m;
  emu_count("device allocation", 1);
  *pointer = reinterpret_cast<DevicePointer>(m.begin);
  return SUCCESS;
}

// Freeing waits for the device, as the driver's does.
EXPORTED int cuMemFree_v2(DevicePointer pointer) {
  RELEASE();
  auto found = memory().device.find(pointer);
  if (found == memory().device.end()) return pointer == 0 ? call.status : INVALID_VALUE;
  finish_all();
  check_margins(found->second);
  memory().used -= found->second.bytes;
  munmap(found->second.map, found->second.mapped);
  memory().device.erase(found);
  emu_count("device allocation", -1);
  return call.status ? call.status : device_error();
}

EXPORTED int cuMemAllocAsync(DevicePointer* pointer, size_t bytes, void*) {
  return cuMemAlloc_v2(pointer, bytes);
}

EXPORTED int cuMemFreeAsync(DevicePointer pointer, void*) { return cuMemFree_v2(pointer); }

EXPORTED int cuMemGetAddressRange_v2(DevicePointer* base, size_t* bytes, DevicePointer pointer) {
  CALL();
  const Mapping* m = containing(memory().device, pointer);
  if (!m) return NOT_FOUND;
  if (base) *base = reinterpret_cast<DevicePointer>(m->begin);
  if (bytes) *bytes = m->bytes;
  return SUCCESS;
}

EXPORTED int cuMemHostAlloc(void** host, size_t bytes, unsigned) {
  CALL();
  return allocate_pinned(host, bytes);
}

EXPORTED int cuMemAllocHost_v2(void** host, size_t bytes) {
  CALL();
  return allocate_pinned(host, bytes);
}

EXPORTED int cuMemFreeHost(void* host) {
  RELEASE();
  auto found = memory().pinned.find(reinterpret_cast<uintptr_t>(host));
  if (found == memory().pinned.end()) return INVALID_VALUE;
  finish_all();
  check_margins(found->second);
  munmap(found->second.map, found->second.mapped);
  memory().pinned.erase(found);
  emu_count("pinned allocation", -1);
  return call.status ? call.status : device_error();
}

EXPORTED int cuMemHostGetDevicePointer_v2(DevicePointer* pointer, void* host, unsigned) {
  CALL();
  if (!is_pinned(host, 1)) return INVALID_VALUE;
  *pointer = reinterpret_cast<DevicePointer>(host);
  return SUCCESS;
}

EXPORTED int cuMemHostRegister_v2(void* host, size_t bytes, unsigned) {
  CALL();
  auto* begin = static_cast<char*>(host);
  if (is_pinned(host, 1)) return HOST_MEMORY_ALREADY_REGISTERED;
  memory().registered[reinterpret_cast<uintptr_t>(host)] = {begin, bytes, begin, bytes};
  emu_count("registered range", 1);
  return SUCCESS;
}

EXPORTED int cuMemHostUnregister(void* host) {
  RELEASE();
  finish_all();
  if (!memory().registered.erase(reinterpret_cast<uintptr_t>(host))) return HOST_MEMORY_NOT_REGISTERED;
  emu_count("registered range", -1);
  return call.status;
}

EXPORTED int cuMemcpyHtoDAsync_v2(DevicePointer to, const void* from, size_t bytes, void* stream) {
  CALL();
  return copy_up(to, from, bytes, stream);
}

EXPORTED int cuMemcpyDtoHAsync_v2(void* to, DevicePointer from, size_t bytes, void* stream) {
  CALL();
  return copy_down(to, from, bytes, stream);
}

EXPORTED int cuMemcpyDtoDAsync_v2(DevicePointer to, DevicePointer from, size_t bytes, void* stream) {
  CALL();
  return copy_within(to, from, bytes, stream);
}

EXPORTED int cuMemcpyHtoD_v2(DevicePointer to, const void* from, size_t bytes) {
  CALL();
  if (forbidden_by_capture()) return STREAM_CAPTURE_IMPLICIT;
  return after_synchronous(copy_up(to, from, bytes, nullptr));
}

EXPORTED int cuMemcpyDtoH_v2(void* to, DevicePointer from, size_t bytes) {
  CALL();
  if (forbidden_by_capture()) return STREAM_CAPTURE_IMPLICIT;
  return after_synchronous(copy_down(to, from, bytes, nullptr));
}

EXPORTED int cuMemcpyDtoD_v2(DevicePointer to, DevicePointer from, size_t bytes) {
  CALL();
  if (forbidden_by_capture()) return STREAM_CAPTURE_IMPLICIT;
  return copy_within(to, from, bytes, nullptr);
}

EXPORTED int cuMemsetD8Async(DevicePointer to, unsigned char value, size_t count, void* stream) {
  CALL();
  return fill(to, value, count, stream);
}

EXPORTED int cuMemsetD16Async(DevicePointer to, unsigned short value, size_t count, void* stream) {
  CALL();
  return fill(to, value, count, stream);
}

EXPORTED int cuMemsetD32Async(DevicePointer to, unsigned value, size_t count, void* stream) {
  CALL();
  return fill(to, value, count, stream);
}

EXPORTED int cuMemsetD8_v2(DevicePointer to, unsigned char value, size_t count) {
  CALL();
  if (forbidden_by_capture()) return STREAM_CAPTURE_IMPLICIT;
  return fill(to, value, count, nullptr);
}

EXPORTED int cuMemsetD16_v2(DevicePointer to, unsigned short value, size_t count) {
  CALL();
  if (forbidden_by_capture()) return STREAM_CAPTURE_IMPLICIT;
  return fill(to, value, count, nullptr);
}

EXPORTED int cuMemsetD32_v2(DevicePointer to, unsigned value, size_t count) {
  CALL();
  if (forbidden_by_capture()) return STREAM_CAPTURE_IMPLICIT;
  return fill(to, value, count, nullptr);
}
