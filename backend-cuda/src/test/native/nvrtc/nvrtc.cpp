// libnvrtc.so.13: compiles CUDA C with g++. The result is an image for the emulator's driver.
#include <dlfcn.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "../driver/calls.h"
#include "../kernel/image.h"

namespace fs = std::filesystem;
using emulation::Call;
using emulation::Needs;

namespace {

enum Result {
  SUCCESS = 0,
  PROGRAM_CREATION_FAILURE = 2,
  INVALID_INPUT = 3,
  INVALID_PROGRAM = 4,
  INVALID_OPTION = 5,
  COMPILATION = 6,
};

// The architectures of NVRTC 13.0.
constexpr int architectures[] = {75, 80, 86, 87, 88, 89, 90, 100, 103, 110, 120, 121};

struct Program {
  std::string source, name;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string log, image;
};

std::set<Program*>& programs() {
  static auto* set = new std::set<Program*>;
  return *set;
}

bool known(Program* program) { return programs().count(program) != 0; }

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "emulated-nvrtc-XXXXXX").string();
    if (mkdtemp(pattern.data())) path = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path.empty()) fs::remove_all(path, ignored);
  }
  fs::path path;
};

std::string read(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Runs a program without a shell; its messages are in the file. 127 if it could not be started.
int run(const std::vector<std::string>& command, const fs::path& messages) {
  std::vector<char*> arguments;
  for (const auto& each : command) arguments.push_back(const_cast<char*>(each.c_str()));
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 2, messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  pid_t child;
  int failed = posix_spawnp(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  int status = 0;
  if (failed || waitpid(child, &status, 0) != child) return 127;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

// The headers of the emulator lie beside this library.
fs::path library_folder() {
  Dl_info info;
  dladdr(reinterpret_cast<void*>(&library_folder), &info);
  return fs::canonical(info.dli_fname).parent_path();
}

bool starts_with(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }

bool supported(const std::string& architecture) {
  std::smatch found;
  if (!std::regex_match(architecture, found, std::regex("(sm|compute)_(\\d+)[af]?"))) return false;
  int number = std::stoi(found[2]);
  return std::find(std::begin(architectures), std::end(architectures), number) !=
         std::end(architectures);
}

// What g++ takes of NVRTC's options; false for options that NVRTC would refuse.
bool translate(const std::vector<std::string>& options, std::vector<std::string>& flags,
               bool& fused) {
  for (const std::string& o : options) {
    size_t equals = o.find('=');
    std::string value = equals == std::string::npos ? "" : o.substr(equals + 1);
    if (starts_with(o, "--gpu-architecture=") || starts_with(o, "-arch=")) {
      if (!supported(value)) return false;
      flags.push_back("-D__CUDA_ARCH__=" + value.substr(value.find('_') + 1) + "0");
    } else if (starts_with(o, "--define-macro=")) {
      flags.push_back("-D" + value);
    } else if (starts_with(o, "--include-path=")) {
      flags.push_back("-I" + value);
    } else if (starts_with(o, "-D") || starts_with(o, "-I") || starts_with(o, "-U")) {
      flags.push_back(o);
    } else if (o == "--fmad=false" || o == "-fmad=false") {
      fused = false;
    } else if (!starts_with(o, "-")) {
      return false;
    }
  }
  return true;
}

// `extern __shared__ T name[];` declares the dynamic shared memory: here a pointer to it.
std::string with_dynamic_shared(const std::string& source) {
  static const std::regex declaration(
      "extern\\s+__shared__\\s+(?:__align__\\s*\\(\\s*\\d+\\s*\\)\\s*)?([\\w\\s]+?)\\s+(\\w+)\\s*\\[\\s*\\]\\s*;");
  return std::regex_replace(source, declaration, "$1* $2 = emulation::dynamic_shared<$1>();");
}

struct KernelName {
  std::string name, most_threads;
};

// Kernels of the preprocessed source, so that those which macros declare are found, too.
std::vector<KernelName> kernels_of(const std::string& preprocessed) {
  static const std::regex declaration(
      "__global__\\s+(?:__launch_bounds__\\s*\\(([^,)]*)[^)]*\\)\\s*)?(?:static\\s+)?void\\s+"
      "(?:__launch_bounds__\\s*\\(([^,)]*)[^)]*\\)\\s*)?(\\w+)\\s*\\(");
  std::vector<KernelName> result;
  std::set<std::string> seen;
  std::sregex_iterator end;
  for (std::sregex_iterator i(preprocessed.begin(), preprocessed.end(), declaration); i != end; ++i) {
    if (!seen.insert((*i)[3]).second) continue;
    std::string bounds = (*i)[1].str() + (*i)[2].str();
    result.push_back({(*i)[3], bounds.empty() ? "1024" : bounds});
  }
  return result;
}

std::string translation_unit(const std::vector<KernelName>& kernels) {
  std::ostringstream unit;
  unit << "#include \"cuda_c.h\"\n#include \"program.cu\"\n"
       << "extern \"C\" __attribute__((visibility(\"hidden\"))) char __bss_start[], _end[];\n"
       << "static constexpr emulation::Kernel emulated_kernels[] = {\n";
  for (const auto& k : kernels) {
    unit << "  emulation::Entry<&" << k.name << ">::describe(\"" << k.name << "\", " << k.most_threads
         << "),\n";
  }
  unit << "};\nextern \"C\" __attribute__((visibility(\"default\"))) const emulation::KernelTable\n"
       << "emulated_module = {&emulation::block, emulated_kernels, " << kernels.size()
       << ", __bss_start, _end};\n";
  return unit.str();
}

Result compile(Program& p, const std::vector<std::string>& options) {
  TemporaryFolder folder;
  if (folder.path.empty()) {
    p.log = "cannot make a folder for temporary files";
    return COMPILATION;
  }
  bool fused = true;
  std::vector<std::string> flags;
  if (!translate(options, flags, fused)) return INVALID_OPTION;
  for (const auto& [name, text] : p.headers) std::ofstream(folder.path / name) << text;
  fs::path messages = folder.path / "messages", program = folder.path / "program.cu",
           preprocessed = folder.path / "preprocessed", unit = folder.path / "unit.cpp",
           library = folder.path / "kernels.so";
  std::ofstream(program) << "#line 1 \"" << p.name << "\"\n" << with_dynamic_shared(p.source);
  std::vector<std::string> command = {"g++", "-std=c++17", "-w", "-DCUDA_EMU=1", "-I" + folder.path.string()};
  command.insert(command.end(), flags.begin(), flags.end());
  std::vector<std::string> preprocess = command;
  for (const char* each : {"-E", "-P", "-x", "c++"}) preprocess.push_back(each);
  preprocess.insert(preprocess.end(), {program.string(), "-o", preprocessed.string()});
  int status = run(preprocess, messages);
  if (status == 0) {
    auto kernels = kernels_of(read(preprocessed));
    std::ofstream(unit) << translation_unit(kernels);
    command.insert(command.end(),
                   {"-I" + library_folder().string(), "-O2", "-march=native", "-fPIC", "-shared",
                    "-fvisibility=hidden", "-fno-gnu-unique", "-fno-stack-protector", "-fno-exceptions",
                    "-fno-strict-aliasing", "-fstack-clash-protection",
                    // .bss must hold the shared variables and nothing else
                    "-nostartfiles", fused ? "-ffp-contract=fast" : "-ffp-contract=off",
                    unit.string(), "-o", library.string()});
    status = run(command, messages);
  }
  p.log = status == 127 ? "the emulator compiles kernels with g++, which was not found" : read(messages);
  if (status != 0) return COMPILATION;
  std::string bytes = read(library);
  emulation::ImageHeader header = emulation::image_header(bytes.data(), bytes.size());
  p.image.assign(reinterpret_cast<const char*>(&header), sizeof header);
  p.image += bytes;
  return SUCCESS;
}

}  // namespace

EXPORTED int nvrtcVersion(int* major, int* minor) {
  CALL(Needs::anytime);
  *major = 13;
  // no real minor version, and another one for other sources of the emulator: caches of compiled
  // kernels that are keyed by it never mix
  *minor = 1000 + static_cast<int>(EMULATION_SOURCES % 1000000);
  return SUCCESS;
}

EXPORTED int nvrtcGetNumSupportedArchs(int* count) {
  CALL(Needs::anytime);
  *count = static_cast<int>(std::size(architectures));
  return SUCCESS;
}

EXPORTED int nvrtcGetSupportedArchs(int* result) {
  CALL(Needs::anytime);
  std::copy(std::begin(architectures), std::end(architectures), result);
  return SUCCESS;
}

EXPORTED int nvrtcCreateProgram(Program** program, const char* source, const char* name, int headers,
                                const char* const* texts, const char* const* names) {
  CALL(Needs::anytime);
  if (!source) return INVALID_INPUT;
  auto* result = new Program{source, name ? name : "default_program", {}, "", ""};
  for (int i = 0; i < headers; i++) result->headers.emplace_back(names[i], texts[i]);
  programs().insert(result);
  emu_count("program", 1);
  *program = result;
  return SUCCESS;
}

EXPORTED int nvrtcDestroyProgram(Program** program) {
  Call call(__func__, Needs::anytime);
  if (!programs().erase(*program)) return INVALID_PROGRAM;
  delete *program;
  *program = nullptr;
  emu_count("program", -1);
  return call.status;
}

EXPORTED int nvrtcCompileProgram(Program* program, int count, const char* const* options) {
  CALL(Needs::anytime);
  if (!known(program)) return INVALID_PROGRAM;
  return compile(*program, {options, options + count});
}

EXPORTED int nvrtcGetProgramLogSize(Program* program, size_t* bytes) {
  CALL(Needs::anytime);
  if (!known(program)) return INVALID_PROGRAM;
  *bytes = program->log.size() + 1;
  return SUCCESS;
}

EXPORTED int nvrtcGetProgramLog(Program* program, char* log) {
  CALL(Needs::anytime);
  if (!known(program)) return INVALID_PROGRAM;
  memcpy(log, program->log.c_str(), program->log.size() + 1);
  return SUCCESS;
}

EXPORTED int nvrtcGetCUBINSize(Program* program, size_t* bytes) {
  CALL(Needs::anytime);
  if (!known(program)) return INVALID_PROGRAM;
  *bytes = program->image.size();
  return SUCCESS;
}

EXPORTED int nvrtcGetCUBIN(Program* program, char* image) {
  CALL(Needs::anytime);
  if (!known(program)) return INVALID_PROGRAM;
  memcpy(image, program->image.data(), program->image.size());
  return SUCCESS;
}

EXPORTED const char* nvrtcGetErrorString(int result) {
  static constexpr const char* names[] = {
      "NVRTC_SUCCESS",
      "NVRTC_ERROR_OUT_OF_MEMORY",
      "NVRTC_ERROR_PROGRAM_CREATION_FAILURE",
      "NVRTC_ERROR_INVALID_INPUT",
      "NVRTC_ERROR_INVALID_PROGRAM",
      "NVRTC_ERROR_INVALID_OPTION",
      "NVRTC_ERROR_COMPILATION",
      "NVRTC_ERROR_BUILTIN_OPERATION_FAILURE"};
  return result >= 0 && result < 8 ? names[result] : "NVRTC_ERROR_INTERNAL_ERROR";
}
