// Tests of the emulator itself: `emulation-test` lists them, `emulation-test NAME` runs one.
#include <cstring>

#include "api.h"

std::vector<Test>& tests() {
  static std::vector<Test> all;
  return all;
}

void start() {
  void* context;
  emu_set_guard(1);
  OK(cuInit(0));
  OK(cuDevicePrimaryCtxRetain(&context, 0));
  OK(cuCtxSetCurrent(context));
}

std::vector<char> compile(const std::string& source) {
  void* program;
  OK(nvrtcCreateProgram(&program, source.c_str(), "test.cu", 0, nullptr, nullptr));
  const char* options[] = {"--gpu-architecture=sm_90"};
  if (nvrtcCompileProgram(program, 1, options) != 0) {
    size_t bytes;
    OK(nvrtcGetProgramLogSize(program, &bytes));
    std::string log(bytes, 0);
    OK(nvrtcGetProgramLog(program, log.data()));
    fprintf(stderr, "%s", log.c_str());
    exit(1);
  }
  size_t bytes;
  OK(nvrtcGetCUBINSize(program, &bytes));
  std::vector<char> image(bytes);
  OK(nvrtcGetCUBIN(program, image.data()));
  OK(nvrtcDestroyProgram(&program));
  return image;
}

Program::Program(const std::string& source) { OK(cuModuleLoadData(&module, compile(source).data())); }

void* Program::function(const char* name) const {
  void* result;
  OK(cuModuleGetFunction(&result, module, name));
  return result;
}

int main(int count, char** arguments) {
  for (const Test& test : tests()) {
    if (count == 1) {
      puts(test.name);
    } else if (strcmp(test.name, arguments[1]) == 0) {
      test.run();
      return 0;
    }
  }
  if (count > 1) fprintf(stderr, "no test %s\n", arguments[1]);
  return count > 1;
}
