#include "injection.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "calls.h"

namespace emulation {
namespace {

struct Fault {
  std::string function;  // "*" for any
  long remaining;        // matching calls until it strikes
  int status;
  bool stays;            // every later matching call fails as well
  bool struck;
};

std::vector<Fault>& faults() {
  static auto* list = new std::vector<Fault>;
  return *list;
}

// FUNCTION:N:STATUS[:stays]
bool parse(const std::string& text, Fault& fault) {
  char function[100], stays[10] = "";
  long n;
  int status;
  int fields = sscanf(text.c_str(), "%99[^:]:%ld:%d:%9s", function, &n, &status, stays);
  if (fields < 3 || n < 1 || status == 0 || (fields == 4 && strcmp(stays, "stays") != 0)) return false;
  fault = {function, n, status, fields == 4, false};
  return true;
}

// EMU_FAULT: faults separated by ';'.
void read_environment() {
  const char* given = getenv("EMU_FAULT");
  std::string rest = given ? given : "";
  while (!rest.empty()) {
    size_t end = rest.find(';');
    std::string one = rest.substr(0, end);
    Fault fault;
    if (!parse(one, fault)) {
      fprintf(stderr, "emulation: EMU_FAULT needs FUNCTION:N:STATUS[:stays], not %s\n", one.c_str());
      abort();
    }
    faults().push_back(fault);
    rest = end == std::string::npos ? "" : rest.substr(end + 1);
  }
}

bool matches(const Fault& fault, const char* function) {
  if (fault.function == function) return true;
  return fault.function == "*" && strncmp(function, "kernel ", 7) != 0;
}

}  // namespace

int injected(const char* function) {
  static bool read = (read_environment(), true);
  (void)read;
  for (Fault& fault : faults()) {
    if (!matches(fault, function)) continue;
    if (fault.struck ? fault.stays : --fault.remaining == 0) {
      fault.struck = true;
      return fault.status;
    }
  }
  return 0;
}

}  // namespace emulation

// Adds a fault: the nth matching call from now on returns `status`. 0 if the arguments make sense.
EXPORTED int emu_fault(const char* function, long n, int status, int stays) {
  if (n < 1 || status == 0) return 1;
  emulation::faults().push_back({function, n, status, stays != 0, false});
  return 0;
}

// Forgets all faults; the number of those that struck.
EXPORTED int emu_clear_faults() {
  int struck = 0;
  for (const auto& fault : emulation::faults()) struck += fault.struck;
  emulation::faults().clear();
  return struck;
}
