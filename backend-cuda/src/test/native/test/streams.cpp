// When queued work runs, captures, faults on demand, and what is left over.
#include <thread>

#include "api.h"

namespace {

const char* steps = R"(
extern "C" __global__ void add(float* x, float a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] += a;
})";

float* pinned(size_t count) {
  void* memory;
  OK(cuMemHostAlloc(&memory, count * sizeof(float), 0));
  return static_cast<float*>(memory);
}

void add(void* function, Device x, float a, int n, void* stream) {
  void* arguments[] = {&x, &a, &n};
  OK(cuLaunchKernel(function, 1, 1, 1, 32, 1, 1, 0, stream, arguments, nullptr));
}

}  // namespace

TEST(queuedWorkRunsWhenItIsWaitedFor) {
  start();
  void* stream;
  OK(cuStreamCreate(&stream, 1));
  float* host = pinned(1);
  Device x;
  OK(cuMemAlloc_v2(&x, 4));
  *host = 1;
  OK(cuMemcpyHtoDAsync_v2(x, host, 4, stream));
  *host = 2;  // too early: the copy has not read it
  OK(cuMemcpyDtoHAsync_v2(host + 0, x, 4, stream));
  *host = 3;
  OK(cuStreamSynchronize(stream));
  CHECK(*host == 3);  // 3 went up and came down
}

TEST(eventsOrderStreams) {
  start();
  void *first, *second, *event;
  OK(cuStreamCreate(&first, 1));
  OK(cuStreamCreate(&second, 1));
  OK(cuEventCreate(&event, 2));
  float* host = pinned(1);
  Device x;
  OK(cuMemAlloc_v2(&x, 4));
  OK(cuMemsetD32Async(x, 0x3f800000, 1, first));
  OK(cuEventRecord(event, first));
  OK(cuStreamWaitEvent(second, event, 0));
  OK(cuMemcpyDtoHAsync_v2(host, x, 4, second));
  OK(cuStreamSynchronize(second));
  CHECK(*host == 1);
}

TEST(withoutAnEventStreamsAreNotOrdered) {
  start();
  void *first, *second;
  OK(cuStreamCreate(&first, 1));
  OK(cuStreamCreate(&second, 1));
  float* host = pinned(1);
  Device x;
  OK(cuMemAlloc_v2(&x, 4));
  OK(cuMemsetD32Async(x, 0x3f800000, 1, first));
  OK(cuMemcpyDtoHAsync_v2(host, x, 4, second));
  OK(cuStreamSynchronize(second));
  CHECK(!(*host == 1));
}

TEST(aCapturedGraphRunsAgainAndAgain) {
  start();
  Program program(steps);
  void *stream, *graph, *executable;
  OK(cuStreamCreate(&stream, 1));
  float* host = pinned(8);
  for (int i = 0; i < 8; i++) host[i] = 0;
  Device x;
  OK(cuMemAlloc_v2(&x, 32));
  OK(cuStreamBeginCapture_v2(stream, 0));
  OK(cuMemcpyHtoDAsync_v2(x, host, 32, stream));
  add(program.function("add"), x, 2, 8, stream);
  OK(cuMemcpyDtoHAsync_v2(host, x, 32, stream));
  OK(cuStreamEndCapture(stream, &graph));
  OK(cuGraphInstantiateWithFlags(&executable, graph, 0));
  OK(cuStreamSynchronize(stream));
  CHECK(host[0] == 0);  // captured and not run
  for (int i = 0; i < 3; i++) OK(cuGraphLaunch(executable, stream));
  OK(cuStreamSynchronize(stream));
  CHECK(host[7] == 6);
  OK(cuGraphExecDestroy(executable));
  OK(cuGraphDestroy(graph));
}

TEST(allocatingEndsACapture) {
  start();
  void *stream, *graph;
  Device x;
  OK(cuStreamCreate(&stream, 1));
  OK(cuStreamBeginCapture_v2(stream, 0));
  STATUS(900, cuMemAlloc_v2(&x, 4));
  STATUS(901, cuStreamEndCapture(stream, &graph));
  OK(cuMemAlloc_v2(&x, 4));
  CHECK(emu_live("graph") == 0);
}

TEST(theNthCallFails) {
  start();
  Device x;
  emu_fault("cuMemAlloc_v2", 2, 2, 0);
  OK(cuMemAlloc_v2(&x, 4));
  STATUS(2, cuMemAlloc_v2(&x, 4));
  OK(cuMemAlloc_v2(&x, 4));
  CHECK(emu_clear_faults() == 1);
  emu_fault("*", 3, 999, 0);
  OK(cuCtxSynchronize());
  OK(cuMemAlloc_v2(&x, 4));
  STATUS(999, cuCtxSynchronize());
}

TEST(aFailingReleaseStillReleases) {
  start();
  Device x;
  OK(cuMemAlloc_v2(&x, 4));
  emu_fault("cuMemFree_v2", 1, 999, 0);
  STATUS(999, cuMemFree_v2(x));
  CHECK(emu_live("device allocation") == 0);
}

TEST(aFailingKernelIsAnErrorThatStays) {
  start();
  Program program(steps);
  Device x = upload(std::vector<float>(8));
  emu_fault("kernel add", 1, 719, 0);
  add(program.function("add"), x, 1, 8, nullptr);
  STATUS(719, cuCtxSynchronize());
  STATUS(719, cuMemFree_v2(x));
  CHECK(emu_live("device allocation") == 0);
}

TEST(memoryEndsWhereItWasSaid) {
  start();
  emu_set_memory(1 << 20);
  Device a, b;
  size_t available, total;
  OK(cuMemAlloc_v2(&a, 700 << 10));
  STATUS(2, cuMemAlloc_v2(&b, 400 << 10));
  OK(cuMemGetInfo_v2(&available, &total));
  CHECK(total == 1 << 20 && available == 324 << 10);
  OK(cuMemFree_v2(a));
  OK(cuMemAlloc_v2(&b, 400 << 10));
}

TEST(callsNeedACurrentContextInTheirThread) {
  start();
  int status = -1;
  std::thread([&] {
    Device x;
    status = cuMemAlloc_v2(&x, 4);
  }).join();
  CHECK(status == 201);
}

TEST(copiesBeyondAnAllocationAreRefused) {
  start();
  Device x = upload(std::vector<float>(4));
  float values[8] = {};
  STATUS(1, cuMemcpyHtoD_v2(x, values, sizeof values));
  STATUS(1, cuMemcpyDtoH_v2(values, x + 4, 16));
}
