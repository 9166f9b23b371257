// The way into every function of the fake libraries: counts the call, lets tests make it fail, and
// repeats a device error that stays. libcublas and libnvrtc use it too.
#pragma once
#include <mutex>

#define EXPORTED extern "C" __attribute__((visibility("default")))

namespace emulation {

// CUresult values that the fakes return.
enum Status {
  SUCCESS = 0,
  INVALID_VALUE = 1,
  OUT_OF_MEMORY = 2,
  NOT_INITIALIZED = 3,
  DEINITIALIZED = 4,
  INVALID_DEVICE = 101,
  INVALID_IMAGE = 200,
  INVALID_CONTEXT = 201,
  NO_BINARY_FOR_GPU = 209,
  INVALID_HANDLE = 400,
  NOT_FOUND = 500,
  NOT_READY = 600,
  ILLEGAL_ADDRESS = 700,
  LAUNCH_OUT_OF_RESOURCES = 701,
  HOST_MEMORY_ALREADY_REGISTERED = 712,
  HOST_MEMORY_NOT_REGISTERED = 713,
  LAUNCH_FAILED = 719,
  NOT_SUPPORTED = 801,
  STREAM_CAPTURE_UNSUPPORTED = 900,
  STREAM_CAPTURE_INVALIDATED = 901,
  STREAM_CAPTURE_UNJOINED = 904,
  STREAM_CAPTURE_ISOLATION = 905,
  STREAM_CAPTURE_IMPLICIT = 906,
  CAPTURED_EVENT = 907,
};

// What a function needs: `anytime` ones work before cuInit, `context` ones need a current context.
// `release` is as `context`, but the caller frees the object even when the status is an error, as
// the caller has done its duty.
enum class Needs { anytime, driver, context, release };

}  // namespace emulation

// Status with which the call must return at once if it is not 0. Serialised by emu_lock.
EXPORTED int emu_enter(const char* function, emulation::Needs needs);
EXPORTED void emu_lock();
EXPORTED void emu_unlock();

// Counts a call, or a run of "kernel NAME".
EXPORTED void emu_count_call(const char* name);

// Live objects by kind, for leak checks; `change` is +1 or -1.
EXPORTED void emu_count(const char* kind, long change);

// Runs `operation(argument)` in the order of the stream, then `destroy(argument)`. A graph keeps it
// and may run it more than once. `operation` returns a CUresult.
EXPORTED int emu_enqueue(void* stream, const char* name, int (*operation)(void*), void* argument,
                         void (*destroy)(void*));

EXPORTED void emu_forget_live_objects();
EXPORTED int emu_clear_faults();

// The status of the device error, which stays, or 0.
EXPORTED int emu_device_error();

namespace emulation {

class Call {
 public:
  explicit Call(const char* function, Needs needs = Needs::context) {
    emu_lock();
    status = emu_enter(function, needs);
  }
  ~Call() { emu_unlock(); }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  int status;
};

}  // namespace emulation

#define CALL(...)                                 \
  emulation::Call call(__func__, ##__VA_ARGS__); \
  if (call.status != 0) return call.status
#define RELEASE() emulation::Call call(__func__, emulation::Needs::release)
