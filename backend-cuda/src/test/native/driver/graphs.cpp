// Graphs made by stream capture: the captured work in the order of its calls.
#include <set>

#include "calls.h"
#include "streams.h"

namespace emulation {
namespace {

struct Executable {
  std::shared_ptr<std::vector<Work>> nodes;
};

std::set<Executable*>& executables() {
  static auto* set = new std::set<Executable*>;
  return *set;
}

int run_all(const std::vector<Work>& nodes) {
  for (const Work& node : nodes) {
    if (int status = node->run(node->argument)) return status;
  }
  return SUCCESS;
}

}  // namespace
}  // namespace emulation

using namespace emulation;

EXPORTED int cuGraphInstantiateWithFlags(void** executable, void* graph, unsigned long long) {
  CALL();
  auto* result = new Executable{
      std::make_shared<std::vector<Work>>(static_cast<Graph*>(graph)->nodes)};
  executables().insert(result);
  emu_count("graph executable", 1);
  *executable = result;
  return SUCCESS;
}

EXPORTED int cuGraphDestroy(void* graph) {
  RELEASE();
  delete static_cast<Graph*>(graph);
  emu_count("graph", -1);
  return call.status;
}

EXPORTED int cuGraphGetNodes(void* graph, void** nodes, size_t* count) {
  CALL();
  const auto& all = static_cast<Graph*>(graph)->nodes;
  if (!nodes) {
    *count = all.size();
    return SUCCESS;
  }
  for (size_t i = 0; i < *count; i++) nodes[i] = i < all.size() ? all[i].get() : nullptr;
  *count = std::min(*count, all.size());
  return SUCCESS;
}

EXPORTED int cuGraphUpload(void* executable, void* stream) {
  CALL();
  bool known = executables().count(static_cast<Executable*>(executable)) && find_stream(stream);
  return known ? SUCCESS : INVALID_HANDLE;
}

EXPORTED int cuGraphLaunch(void* executable, void* stream_handle) {
  CALL();
  auto* known = static_cast<Executable*>(executable);
  Stream* stream = find_stream(stream_handle);
  if (!executables().count(known) || !stream) return INVALID_HANDLE;
  auto nodes = known->nodes;
  return submit(*stream, work_of("graph", [nodes] { return run_all(*nodes); }));
}

EXPORTED int cuGraphExecDestroy(void* executable) {
  RELEASE();
  auto* known = static_cast<Executable*>(executable);
  if (!executables().erase(known)) return INVALID_HANDLE;
  delete known;
  emu_count("graph executable", -1);
  return call.status;
}
