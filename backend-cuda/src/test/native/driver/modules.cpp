// Modules, functions and launches.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <set>
#include <string>

#include "../kernel/image.h"
#include "calls.h"
#include "context.h"
#include "fibers.h"
#include "injection.h"
#include "settings.h"
#include "streams.h"

namespace emulation {
namespace {

constexpr unsigned usual_shared_bytes = 48 * 1024;
constexpr unsigned most_shared_bytes = 227 * 1024;
constexpr int shared_size_attribute = 1;           // CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES
constexpr int max_threads_attribute = 0;           // CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK
constexpr int registers_attribute = 4;             // CU_FUNC_ATTRIBUTE_NUM_REGS
constexpr int dynamic_shared_attribute = 8;        // ..._MAX_DYNAMIC_SHARED_SIZE_BYTES

struct Module;

struct Function {
  Module* module;
  const Kernel* kernel;
  unsigned dynamic_shared_limit;
};

struct Module {
  int file = -1;
  void* library = nullptr;
  const KernelTable* table = nullptr;
  std::vector<std::unique_ptr<Function>> functions;
};

std::set<Module*>& modules() {
  static auto* set = new std::set<Module*>;
  return *set;
}

Function* find_function(void* handle) {
  for (Module* module : modules()) {
    for (auto& function : module->functions) {
      if (function.get() == handle) return function.get();
    }
  }
  return nullptr;
}

bool is_whole(const ImageHeader& h, const void* library) {
  return h.header_checksum == checksum(&h, offsetof(ImageHeader, header_checksum)) &&
         h.checksum == checksum(library, h.bytes);
}

// The library through a file in memory: nothing on disk can vanish while the image lives on. The
// file stays open as long as the module, since the loader takes equal paths for the same library.
bool open_library(const char* bytes, size_t count, Module& module) {
  module.file = memfd_create("emulated-cubin", MFD_CLOEXEC);
  if (module.file < 0) return false;
  for (size_t done = 0; done < count;) {
    ssize_t n = write(module.file, bytes + done, count - done);
    if (n <= 0) return false;
    done += static_cast<size_t>(n);
  }
  std::string path = "/proc/self/fd/" + std::to_string(module.file);
  module.library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!module.library) {
    fprintf(stderr, "emulation: %s\n", dlerror());
    return false;
  }
  module.table = static_cast<const KernelTable*>(dlsym(module.library, "emulated_module"));
  return module.table != nullptr;
}

void close_library(const Module& module) {
  if (module.library) dlclose(module.library);
  if (module.file >= 0) close(module.file);
}

int load(void** handle, const void* image) {
  ImageHeader h;
  memcpy(&h, image, sizeof h.magic);
  if (memcmp(h.magic, image_magic, sizeof h.magic) != 0) return INVALID_IMAGE;
  memcpy(&h, image, sizeof h);
  if (h.sources != EMULATION_SOURCES) return NO_BINARY_FOR_GPU;
  const char* bytes = static_cast<const char*>(image) + sizeof h;
  if (!is_whole(h, bytes)) return INVALID_IMAGE;
  auto module = std::make_unique<Module>();
  if (!open_library(bytes, h.bytes, *module)) {
    close_library(*module);
    return INVALID_IMAGE;
  }
  for (unsigned i = 0; i < module->table->count; i++) {
    module->functions.push_back(std::make_unique<Function>(
        Function{module.get(), &module->table->kernels[i], usual_shared_bytes}));
  }
  *handle = module.get();
  modules().insert(module.release());
  emu_count("module", 1);
  return SUCCESS;
}

// A queued launch with its own copy of the arguments.
struct Launched {
  Function function;
  uint3 grid, block;
  unsigned shared_bytes;
  std::vector<std::vector<char>> arguments;

  int run() {
    const Kernel& kernel = *function.kernel;
    std::string name = std::string("kernel ") + kernel.name;
    emu_count_call(name.c_str());
    if (int status = injected(name.c_str())) return status;
    std::vector<void*> pointers;
    for (auto& argument : arguments) pointers.push_back(argument.data());
    Launch launch{function.module->table, &kernel, grid, block, shared_bytes, pointers.data()};
    LaunchFault fault;
    if (run_kernel(launch, settings().order, settings().guard, fault)) return SUCCESS;
    fprintf(stderr, "emulation: %s\n", fault.message.c_str());
    return fault.bad_address ? ILLEGAL_ADDRESS : LAUNCH_FAILED;
  }
};

int check(const Function& f, uint3 grid, uint3 block, unsigned shared_bytes) {
  if (!grid.x || !grid.y || !grid.z || !block.x || !block.y || !block.z) return INVALID_VALUE;
  if (grid.x > 0x7fffffffu || grid.y > 65535 || grid.z > 65535 || block.z > 64) return INVALID_VALUE;
  if (1ull * grid.x * grid.y * grid.z > 0x7fffffffu) return NOT_SUPPORTED;  // the emulator's own
  unsigned long long threads = 1ull * block.x * block.y * block.z;
  if (threads > 1024) return INVALID_VALUE;
  if (threads > f.kernel->most_threads) return LAUNCH_OUT_OF_RESOURCES;
  return shared_bytes > f.dynamic_shared_limit ? INVALID_VALUE : SUCCESS;
}

}  // namespace

void destroy_modules() {
  for (Module* module : modules()) {
    close_library(*module);
    delete module;
  }
  modules().clear();
}

}  // namespace emulation

using namespace emulation;

EXPORTED int cuModuleLoadData(void** module, const void* image) {
  CALL();
  return load(module, image);
}

EXPORTED int cuModuleLoadDataEx(void** module, const void* image, unsigned, int*, void**) {
  CALL();
  return load(module, image);
}

EXPORTED int cuModuleUnload(void* handle) {
  RELEASE();
  auto* module = static_cast<Module*>(handle);
  if (!modules().erase(module)) return INVALID_HANDLE;
  finish_all();
  close_library(*module);
  delete module;
  emu_count("module", -1);
  return call.status;
}

EXPORTED int cuModuleGetFunction(void** function, void* handle, const char* name) {
  CALL();
  auto* module = static_cast<Module*>(handle);
  if (!modules().count(module)) return INVALID_HANDLE;
  for (auto& each : module->functions) {
    if (strcmp(each->kernel->name, name) == 0) {
      *function = each.get();
      return SUCCESS;
    }
  }
  return NOT_FOUND;
}

EXPORTED int cuFuncSetAttribute(void* handle, int attribute, int value) {
  CALL();
  Function* f = find_function(handle);
  if (!f) return INVALID_HANDLE;
  if (attribute != dynamic_shared_attribute) return SUCCESS;
  if (value < 0 || value > static_cast<int>(most_shared_bytes)) return INVALID_VALUE;
  f->dynamic_shared_limit = static_cast<unsigned>(value);
  return SUCCESS;
}

EXPORTED int cuFuncGetAttribute(int* value, int attribute, void* handle) {
  CALL();
  Function* f = find_function(handle);
  if (!f) return INVALID_HANDLE;
  switch (attribute) {
    case max_threads_attribute:
      *value = static_cast<int>(f->kernel->most_threads);
      break;
    case dynamic_shared_attribute:
      *value = static_cast<int>(f->dynamic_shared_limit);
      break;
    case registers_attribute:
      *value = 32;  // g++ has no count
      break;
    case shared_size_attribute:
    default:
      *value = 0;
  }
  return SUCCESS;
}

EXPORTED int cuFuncSetCacheConfig(void*, int) {
  CALL();
  return SUCCESS;
}

EXPORTED int cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, void* handle, int threads,
                                                         size_t) {
  CALL();
  if (!find_function(handle) || threads < 1) return INVALID_VALUE;
  *blocks = std::max(1, 2048 / threads);
  return SUCCESS;
}

EXPORTED int cuLaunchKernel(void* handle, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                            unsigned block_x, unsigned block_y, unsigned block_z,
                            unsigned shared_bytes, void* stream_handle, void** arguments,
                            void** extra) {
  CALL();
  Function* f = find_function(handle);
  Stream* stream = find_stream(stream_handle);
  if (!f || !stream) return INVALID_HANDLE;
  uint3 grid{grid_x, grid_y, grid_z}, block{block_x, block_y, block_z};
  if (extra || (f->kernel->parameters > 0 && !arguments)) return INVALID_VALUE;
  if (int status = check(*f, grid, block, shared_bytes)) return status;
  Launched launched{*f, grid, block, shared_bytes, {}};
  for (unsigned i = 0; i < f->kernel->parameters; i++) {
    const char* value = static_cast<const char*>(arguments[i]);
    launched.arguments.emplace_back(value, value + f->kernel->parameter_sizes[i]);
  }
  std::string name = std::string("kernel ") + f->kernel->name;
  return submit(*stream, work_of(name.c_str(), [launched]() mutable { return launched.run(); }));
}
