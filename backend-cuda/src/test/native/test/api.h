// The functions under test, declared as NVIDIA's headers declare them, and checks.
#pragma once
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

using Device = unsigned long long;
extern "C" {
int cuInit(unsigned);
int cuDevicePrimaryCtxRetain(void**, int);
int cuDevicePrimaryCtxRelease_v2(int);
int cuCtxSetCurrent(void*);
int cuCtxSynchronize();
int cuMemAlloc_v2(Device*, size_t);
int cuMemFree_v2(Device);
int cuMemGetInfo_v2(size_t*, size_t*);
int cuMemHostAlloc(void**, size_t, unsigned);
int cuMemFreeHost(void*);
int cuMemcpyHtoD_v2(Device, const void*, size_t);
int cuMemcpyDtoH_v2(void*, Device, size_t);
int cuMemcpyHtoDAsync_v2(Device, const void*, size_t, void*);
int cuMemcpyDtoHAsync_v2(void*, Device, size_t, void*);
int cuMemsetD32Async(Device, unsigned, size_t, void*);
int cuStreamCreate(void**, unsigned);
int cuStreamDestroy_v2(void*);
int cuStreamSynchronize(void*);
int cuStreamWaitEvent(void*, void*, unsigned);
int cuStreamBeginCapture_v2(void*, int);
int cuStreamEndCapture(void*, void**);
int cuEventCreate(void**, unsigned);
int cuEventRecord(void*, void*);
int cuEventDestroy_v2(void*);
int cuGraphInstantiateWithFlags(void**, void*, unsigned long long);
int cuGraphLaunch(void*, void*);
int cuGraphExecDestroy(void*);
int cuGraphDestroy(void*);
int cuModuleLoadData(void**, const void*);
int cuModuleUnload(void*);
int cuModuleGetFunction(void**, void*, const char*);
int cuFuncSetAttribute(void*, int, int);
int cuLaunchKernel(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned,
                   void*, void**, void**);
int nvrtcCreateProgram(void**, const char*, const char*, int, const char* const*, const char* const*);
int nvrtcCompileProgram(void*, int, const char* const*);
int nvrtcDestroyProgram(void**);
int nvrtcGetProgramLogSize(void*, size_t*);
int nvrtcGetProgramLog(void*, char*);
int nvrtcGetCUBINSize(void*, size_t*);
int nvrtcGetCUBIN(void*, char*);
int cublasCreate_v2(void**);
int cublasDestroy_v2(void*);
int cublasGemmEx(void*, int, int, int, int, int, const void*, const void*, int, int, const void*, int,
                 int, const void*, void*, int, int, int, int);
void emu_set_order(int);
void emu_set_guard(int);
void emu_set_late(int);
void emu_set_memory(size_t);
int emu_fault(const char*, long, int, int);
int emu_clear_faults();
void emu_reset();
long emu_live(const char*);
}

#define CHECK(condition)                                                    \
  do {                                                                      \
    if (!(condition)) {                                                     \
      fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      exit(1);                                                              \
    }                                                                       \
  } while (0)

#define STATUS(expected, call)                                                              \
  do {                                                                                      \
    int status_ = (call);                                                                   \
    if (status_ != (expected)) {                                                            \
      fprintf(stderr, "%s:%d: %s is %d and not %d\n", __FILE__, __LINE__, #call, status_, expected); \
      exit(1);                                                                              \
    }                                                                                       \
  } while (0)

#define OK(call) STATUS(0, call)

struct Test {
  const char* name;
  void (*run)();
};
std::vector<Test>& tests();

#define TEST(name)                                                   \
  static void name();                                                \
  static const bool name##_known = (tests().push_back({#name, name}), true); \
  static void name()

// Starts the device with guard pages; the context is current.
void start();

// The image of a program with these lines, or exits.
std::vector<char> compile(const std::string& source);

// A loaded program.
struct Program {
  explicit Program(const std::string& source);
  void* function(const char* name) const;
  void* module;
};

// Device memory with these contents.
template <class T>
Device upload(const std::vector<T>& values) {
  Device pointer;
  OK(cuMemAlloc_v2(&pointer, values.size() * sizeof(T)));
  OK(cuMemcpyHtoD_v2(pointer, values.data(), values.size() * sizeof(T)));
  return pointer;
}

template <class T>
std::vector<T> download(Device pointer, size_t count) {
  std::vector<T> values(count);
  OK(cuMemcpyDtoH_v2(values.data(), pointer, count * sizeof(T)));
  return values;
}

// Launches on the null stream; the status of the launch.
template <class... A>
int launch(void* function, unsigned blocks, unsigned threads, unsigned shared, A... arguments) {
  void* pointers[] = {&arguments...};
  return cuLaunchKernel(function, blocks, 1, 1, threads, 1, 1, shared, nullptr, pointers, nullptr);
}
