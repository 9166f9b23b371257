// Streams as queues. Unless settings().late is off, queued work runs when something waits for it,
// as late as a device may: code that forgets to wait reads what is not there yet.
#pragma once
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace emulation {

// One piece of queued work. A graph holds these and runs them again.
struct Operation {
  Operation(std::string name_, int (*run_)(void*), void* argument_, void (*destroy_)(void*))
      : name(std::move(name_)), run(run_), argument(argument_), destroy(destroy_) {}
  ~Operation() {
    if (destroy) destroy(argument);
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  std::string name;
  int (*run)(void*);
  void* argument;
  void (*destroy)(void*);
};
using Work = std::shared_ptr<Operation>;

struct Graph {
  std::vector<Work> nodes;
};

// A capture under way; streams that wait for its events join it.
struct Capture {
  Graph* graph;
  void* origin;
  int mode;
  bool invalid = false;
};

struct Stream {
  bool blocking;  // ordered with the null stream
  std::deque<Work> queue;
  std::shared_ptr<Capture> capture;
};

// The stream of a handle (null: the null stream), or nullptr.
Stream* find_stream(void* handle);

// Queues the work, or adds it to the capture of the stream.
int submit(Stream& stream, Work work);

// Runs everything queued in all streams.
void finish_all();
void finish(Stream& stream);

// Status for calls that are not allowed while this thread captures; 0 if none is under way.
int forbidden_by_capture();

// A callable as an operation; it returns a CUresult.
template <class F>
Work work_of(const char* name, F f) {
  return std::make_shared<Operation>(
      name, [](void* p) -> int { return (*static_cast<F*>(p))(); }, new F(std::move(f)),
      [](void* p) { delete static_cast<F*>(p); });
}

}  // namespace emulation
