// Faults on demand: the Nth call of a function fails.
#pragma once

namespace emulation {

// Status that this call must return, or 0. Pseudo-functions "kernel NAME" stand for the running of
// a kernel; their faults are errors of the device and stay.
int injected(const char* function);

}  // namespace emulation
