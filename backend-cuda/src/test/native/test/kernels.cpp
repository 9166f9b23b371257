// How kernels run, and what happens to wrong ones.
#include <cmath>
#include <numeric>

#include "api.h"

namespace {

const char* sums = R"(
__device__ __forceinline__ float warp_sum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(0xffffffffu, v, o);
  return v;
}
extern "C" __global__ void __launch_bounds__(256) block_sum(const float* x, float* out, int n) {
  extern __shared__ float row[];
  __shared__ float parts[32];
  int t = threadIdx.x;
  row[t] = blockIdx.x * blockDim.x + t < n ? x[blockIdx.x * blockDim.x + t] : 0.0f;
  __syncthreads();
  float v = warp_sum(row[blockDim.x - 1 - t]);
  if ((t & 31) == 0) parts[t >> 5] = v;
  __syncthreads();
  if (t < 32) v = warp_sum(t < blockDim.x / 32 ? parts[t] : 0.0f);
  if (t == 0) out[blockIdx.x] = v;
}
extern "C" __global__ void race(const float* x, float* out) {
  __shared__ float s[256];
  s[threadIdx.x] = x[threadIdx.x];
  if (threadIdx.x == 0) {
    float v = 0;
    for (int i = 0; i < 256; i++) v += s[i];
    *out = v;
  }
}
extern "C" __global__ void count(const float* x, int* out, float limit) {
  int n = __syncthreads_count(x[threadIdx.x] < limit);
  if (threadIdx.x == 0) *out = n;
})";

const char* wrong = R"(
extern "C" __global__ void diverge(float* out) {
  if (threadIdx.x < 16) __syncthreads();
  else out[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
}
extern "C" __global__ void beyond(float* out, int at) { out[at] = 1.0f; }
extern "C" __global__ void absent_lane(float* out) {
  if (threadIdx.x != 3) out[threadIdx.x] = __shfl_sync(0xffffffffu, 1.0f, 3);
}
extern "C" __global__ void masks(float* out) {
  unsigned mask = threadIdx.x == 0 ? 0x3u : 0xffffffffu;
  out[threadIdx.x] = __shfl_sync(mask, 1.0f, threadIdx.x);
}
extern "C" __global__ void fresh(float* out) {
  __shared__ float s[32];
  if (threadIdx.x < 3) s[threadIdx.x] = 1.0f;
  out[threadIdx.x] = s[threadIdx.x];
}
__device__ int deep(int n) {
  volatile int room[1024];
  room[n % 1024] = n;
  return n == 0 ? 0 : deep(n - 1) + room[n % 1024];
}
extern "C" __global__ void overflow(int* out, int n) { *out = deep(n); })";

std::vector<float> ramp(int n) {
  std::vector<float> x(n);
  std::iota(x.begin(), x.end(), 1.0f);
  return x;
}

// The launch itself succeeds; the error shows when the work is waited for, and stays.
void ends_with(int status, const char* kernel, std::vector<float> memory, int argument) {
  start();
  Program program(wrong);
  Device out = upload(memory);
  OK(launch(program.function(kernel), 1, 32, 0, out, argument));
  STATUS(status, cuCtxSynchronize());
  STATUS(status, cuMemAlloc_v2(&out, 4));
}

}  // namespace

TEST(kernelsGiveTheSameInEveryOrder) {
  start();
  Program program(sums);
  const int n = 1000;
  Device x = upload(ramp(n)), out = upload(std::vector<float>(4));
  for (int order : {0, 1, 2, 3, 77}) {
    emu_set_order(order);
    OK(launch(program.function("block_sum"), 4, 256, 1024, x, out, n));
    auto parts = download<float>(out, 4);
    CHECK(parts[0] == 256 * 257 / 2);
    CHECK(parts[0] + parts[1] + parts[2] + parts[3] == n * (n + 1) / 2);
  }
}

TEST(aMissingBarrierShowsInSomeOrder) {
  start();
  Program program(sums);
  Device x = upload(ramp(256)), out = upload(std::vector<float>(1));
  emu_set_order(0);
  OK(launch(program.function("race"), 1, 256, 0, x, out));
  CHECK(!(download<float>(out, 1)[0] == 256 * 257 / 2));
  emu_set_order(1);
  OK(launch(program.function("race"), 1, 256, 0, x, out));
  CHECK(download<float>(out, 1)[0] == 256 * 257 / 2);
}

TEST(barriersReduce) {
  start();
  Program program(sums);
  Device x = upload(ramp(256)), out = upload(std::vector<int>(1));
  OK(launch(program.function("count"), 1, 256, 0, x, out, 101.0f));
  CHECK(download<int>(out, 1)[0] == 100);
}

TEST(launchesBeyondTheLimitsAreRefused) {
  start();
  void* f = Program(sums).function("block_sum");
  STATUS(701, launch(f, 1, 512, 0, Device{0}, Device{0}, 0));  // __launch_bounds__(256)
  STATUS(1, launch(f, 1, 0, 0, Device{0}, Device{0}, 0));
  STATUS(1, launch(f, 1, 32, 64 * 1024, Device{0}, Device{0}, 0));
  OK(cuFuncSetAttribute(f, 8, 64 * 1024));
  STATUS(1, cuFuncSetAttribute(f, 8, 228 * 1024));
}

TEST(divergenceIsALaunchFailure) { ends_with(719, "diverge", std::vector<float>(32), 0); }
TEST(readingAnAbsentLaneIsALaunchFailure) { ends_with(719, "absent_lane", std::vector<float>(32), 0); }
TEST(differentMasksAreALaunchFailure) { ends_with(719, "masks", std::vector<float>(32), 0); }
TEST(anAddressPastTheEndIsIllegal) { ends_with(700, "beyond", std::vector<float>(32), 32); }
TEST(anAddressFarInFrontIsIllegal) { ends_with(700, "beyond", std::vector<float>(32), -2000); }

TEST(aWriteJustInFrontShowsWhenTheMemoryIsFreed) {
  start();
  Program program(wrong);
  Device out = upload(std::vector<float>(32));
  OK(launch(program.function("beyond"), 1, 1, 0, out, -1));
  STATUS(700, cuMemFree_v2(out));
}

TEST(freedMemoryIsIllegal) {
  start();
  Program program(wrong);
  Device out = upload(std::vector<float>(32));
  OK(cuMemFree_v2(out));
  OK(launch(program.function("beyond"), 1, 1, 0, out, 0));
  STATUS(700, cuCtxSynchronize());
}

TEST(theErrorOutlivesItsContext) {
  ends_with(700, "beyond", std::vector<float>(32), 32);
  STATUS(700, cuDevicePrimaryCtxRelease_v2(0));
  void* context;
  OK(cuDevicePrimaryCtxRetain(&context, 0));
  OK(cuCtxSetCurrent(context));
  Device x;
  STATUS(700, cuMemAlloc_v2(&x, 4));
  emu_reset();
  start();
  CHECK(download<float>(upload(ramp(3)), 3)[2] == 3);
}

TEST(freshSharedMemoryIsNotANumber) {
  start();
  Program program(wrong);
  Device out = upload(std::vector<float>(32));
  OK(launch(program.function("fresh"), 1, 32, 0, out));
  CHECK(std::isnan(download<float>(out, 32)[31]));
}

TEST(anOverflowingStackIsALaunchFailure) {
  start();
  Program program(wrong);
  Device out = upload(std::vector<int>(1));
  OK(launch(program.function("overflow"), 1, 1, 0, out, 40));
  STATUS(719, cuCtxSynchronize());
}
