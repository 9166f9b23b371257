#include "calls.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "context.h"
#include "injection.h"
#include "settings.h"

namespace emulation {
namespace {

std::recursive_mutex& lock() {
  static auto* mutex = new std::recursive_mutex;  // never destroyed: calls come at exit, too
  return *mutex;
}

size_t number(const char* name, size_t otherwise) {
  const char* text = getenv(name);
  return text && *text ? strtoull(text, nullptr, 10) : otherwise;
}

Order order_of(int value) {
  Order::Kind kind = value == 0 ? Order::forward : value == 1 ? Order::reverse : Order::shuffled;
  return {kind, static_cast<unsigned>(value)};
}

Settings from_environment() {
  Settings result;
  result.order = order_of(static_cast<int>(number("EMU_ORDER", 0)));
  result.guard = number("EMU_GUARD", 0) != 0;
  result.late = number("EMU_LATE", 1) != 0;
  result.memory = number("EMU_MEMORY", size_t{8} << 30);
  return result;
}

using Counts = std::map<std::string, long>;

Counts& calls() {
  static auto* counts = new Counts;
  return *counts;
}

Counts& live() {
  static auto* counts = new Counts;
  return *counts;
}

void write_counts(FILE* file, const char* name, const Counts& counts) {
  fprintf(file, "  \"%s\": {", name);
  const char* separator = "";
  for (const auto& [key, value] : counts) {
    fprintf(file, "%s\n    \"%s\": %ld", separator, key.c_str(), value);
    separator = ",";
  }
  fprintf(file, "\n  }");
}

// EMU_REPORT=FILE: what is alive at the end of the process, and how often each function was called.
__attribute__((destructor)) void report() {
  const char* path = getenv("EMU_REPORT");
  if (!path || !*path) return;
  FILE* file = fopen(path, "w");
  if (!file) {
    perror("emulation: EMU_REPORT");
    return;
  }
  fprintf(file, "{\n");
  write_counts(file, "live", live());
  fprintf(file, ",\n");
  write_counts(file, "calls", calls());
  fprintf(file, "\n}\n");
  fclose(file);
}

long lookup(const Counts& counts, const char* name) {
  auto found = counts.find(name);
  return found == counts.end() ? 0 : found->second;
}

}  // namespace

Settings& settings() {
  static auto* values = new Settings(from_environment());
  return *values;
}

}  // namespace emulation

using namespace emulation;

EXPORTED void emu_lock() { lock().lock(); }
EXPORTED void emu_unlock() { lock().unlock(); }
EXPORTED void emu_count_call(const char* name) { calls()[name]++; }
EXPORTED void emu_count(const char* kind, long change) { live()[kind] += change; }
EXPORTED int emu_device_error() { return device_error(); }

EXPORTED int emu_enter(const char* function, Needs needs) {
  emu_count_call(function);
  if (int status = injected(function)) return status;
  if (needs == Needs::anytime) return SUCCESS;
  if (!driver_initialised()) return NOT_INITIALIZED;
  if (needs == Needs::driver) return SUCCESS;
  if (int status = device_error()) return status;
  return has_current_context() ? SUCCESS : INVALID_CONTEXT;
}

// For tests in the same process, by foreign calls.
EXPORTED long emu_calls(const char* function) { return lookup(calls(), function); }
EXPORTED long emu_live(const char* kind) { return lookup(live(), kind); }
EXPORTED void emu_forget_live_objects() { live().clear(); }
EXPORTED void emu_set_order(int order) { settings().order = order_of(order); }
EXPORTED void emu_set_late(int late) { settings().late = late != 0; }
EXPORTED void emu_set_guard(int guard) { settings().guard = guard != 0; }
EXPORTED void emu_set_memory(size_t bytes) { settings().memory = bytes; }

// All live objects as "kind count" lines; the number of kinds of which something lives.
EXPORTED int emu_live_objects(char* text, int bytes) {
  std::string lines;
  int kinds = 0;
  for (const auto& [kind, count] : live()) {
    if (count == 0) continue;
    kinds++;
    lines += kind + " " + std::to_string(count) + "\n";
  }
  snprintf(text, static_cast<size_t>(bytes), "%s", lines.c_str());
  return kinds;
}

// All functions called so far as "name count" lines; the bytes that the text needs.
EXPORTED int emu_all_calls(char* text, int bytes) {
  std::string lines;
  for (const auto& [name, count] : calls()) lines += name + " " + std::to_string(count) + "\n";
  snprintf(text, static_cast<size_t>(bytes), "%s", lines.c_str());
  return static_cast<int>(lines.size()) + 1;
}
