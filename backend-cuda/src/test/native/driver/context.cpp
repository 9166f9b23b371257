#include "context.h"

#include <cstdio>
#include <cstring>

#include "calls.h"
#include "settings.h"

namespace emulation {
namespace {

constexpr int driver_version = 13000;
constexpr const char* device_name = "CUDA emulator on the CPU (no GPU)";

bool initialised = false;
int error = 0;
long retained = 0;
char context_object;  // its address is the context's handle
thread_local void* current = nullptr;

struct Attribute {
  int id, value;
};

// CUdevice_attribute as of an H100, whose limits the kernels are written for.
constexpr Attribute attributes[] = {
    {1, 1024},      // max threads per block
    {2, 1024},      // max block x
    {3, 1024},      // max block y
    {4, 64},        // max block z
    {5, 2147483647},// max grid x
    {6, 65535},     // max grid y
    {7, 65535},     // max grid z
    {8, 49152},     // shared memory per block without asking for more
    {10, 32},       // warp size
    {12, 65536},    // registers per block
    {13, 1000000},  // clock in kHz
    {16, 4},        // multiprocessors: few, so that grids sized by them stay small
    {18, 0},        // integrated
    {19, 1},        // can map host memory
    {31, 1},        // concurrent kernels
    {36, 1000000},  // memory clock in kHz
    {37, 512},      // memory bus width in bits
    {38, 1 << 20},  // L2 bytes
    {39, 2048},     // threads per multiprocessor
    {40, 2},        // copy engines
    {41, 1},        // unified addressing
    {75, 9},        // compute capability 9.0
    {76, 0},
    {81, 233472},   // shared memory per multiprocessor
    {82, 65536},    // registers per multiprocessor
    {97, 232448},   // shared memory per block, when asked for
    {106, 32},      // blocks per multiprocessor
    {111, 1024},    // shared memory reserved per block
    {115, 0},       // memory pools
};

int invalid_unless_device(int device) { return device == 0 ? SUCCESS : INVALID_DEVICE; }

}  // namespace

bool driver_initialised() { return initialised; }
bool has_current_context() { return current != nullptr && retained > 0; }
int device_error() { return error; }

void set_device_error(int status) {
  if (error == 0) error = status;
}

}  // namespace emulation

using namespace emulation;

EXPORTED int cuInit(unsigned flags) {
  CALL(Needs::anytime);
  if (flags != 0) return INVALID_VALUE;
  initialised = true;
  return SUCCESS;
}

EXPORTED int cuDriverGetVersion(int* version) {
  CALL(Needs::anytime);
  *version = driver_version;
  return SUCCESS;
}

EXPORTED int cuDeviceGetCount(int* count) {
  CALL(Needs::driver);
  *count = 1;
  return SUCCESS;
}

EXPORTED int cuDeviceGet(int* device, int ordinal) {
  CALL(Needs::driver);
  *device = 0;
  return invalid_unless_device(ordinal);
}

EXPORTED int cuDeviceGetName(char* name, int bytes, int device) {
  CALL(Needs::driver);
  snprintf(name, static_cast<size_t>(bytes), "%s", device_name);
  return invalid_unless_device(device);
}

EXPORTED int cuDeviceGetUuid_v2(unsigned char uuid[16], int device) {
  CALL(Needs::driver);
  memcpy(uuid, "mola emulated 00", 16);
  return invalid_unless_device(device);
}

EXPORTED int cuDeviceTotalMem_v2(size_t* bytes, int device) {
  CALL(Needs::driver);
  *bytes = settings().memory;
  return invalid_unless_device(device);
}

EXPORTED int cuDeviceGetAttribute(int* value, int attribute, int device) {
  CALL(Needs::driver);
  *value = 0;
  for (const Attribute& a : attributes) {
    if (a.id == attribute) *value = a.value;
  }
  return invalid_unless_device(device);
}

EXPORTED int cuDevicePrimaryCtxRetain(void** context, int device) {
  CALL(Needs::driver);
  if (device != 0) return INVALID_DEVICE;
  retained++;
  emu_count("context", 1);
  *context = &context_object;
  return SUCCESS;
}

// The last release destroys the context with all that lives in it; that stays in the counts, as a
// leak. An error of the device outlives its context: only a new process can go on.
EXPORTED int cuDevicePrimaryCtxRelease_v2(int device) {
  Call call(__func__, Needs::driver);
  if (device != 0) return INVALID_DEVICE;
  if (retained == 0) return INVALID_CONTEXT;
  emu_count("context", -1);
  if (--retained == 0) {
    destroy_streams();
    destroy_modules();
    destroy_allocations();
  }
  return call.status ? call.status : error;
}

EXPORTED int cuDevicePrimaryCtxReset_v2(int device) {
  CALL(Needs::driver);
  if (device != 0) return INVALID_DEVICE;
  destroy_streams();
  destroy_modules();
  destroy_allocations();
  return error;
}

// For tests: as if the process had just begun.
EXPORTED void emu_reset() {
  emu_lock();
  destroy_streams();
  destroy_modules();
  destroy_allocations();
  retained = 0;
  error = 0;
  emu_clear_faults();
  emu_forget_live_objects();
  emu_unlock();
}

EXPORTED int cuDevicePrimaryCtxGetState(int device, unsigned* flags, int* active) {
  CALL(Needs::driver);
  *flags = 0;
  *active = retained > 0;
  return invalid_unless_device(device);
}

EXPORTED int cuCtxSetCurrent(void* context) {
  CALL(Needs::driver);
  if (context && context != &context_object) return INVALID_CONTEXT;
  current = context;
  return SUCCESS;
}

EXPORTED int cuCtxGetCurrent(void** context) {
  CALL(Needs::driver);
  *context = current;
  return SUCCESS;
}

EXPORTED int cuCtxPushCurrent_v2(void* context) {
  CALL(Needs::driver);
  if (context != &context_object) return INVALID_CONTEXT;
  current = context;
  return SUCCESS;
}

EXPORTED int cuCtxPopCurrent_v2(void** context) {
  CALL(Needs::driver);
  if (context) *context = current;
  current = nullptr;
  return SUCCESS;
}

EXPORTED int cuCtxGetDevice(int* device) {
  CALL();
  *device = 0;
  return SUCCESS;
}

EXPORTED int cuCtxSetLimit(int, size_t) {
  CALL();
  return SUCCESS;
}

EXPORTED int cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  CALL();
  if (least) *least = 0;
  if (greatest) *greatest = -5;
  return SUCCESS;
}
