#include "streams.h"

#include <chrono>
#include <set>

#include "calls.h"
#include "context.h"
#include "settings.h"

namespace emulation {
namespace {

constexpr size_t longest_queue = 1024;
constexpr unsigned non_blocking = 1;  // CU_STREAM_NON_BLOCKING
constexpr unsigned disable_timing = 2;  // CU_EVENT_DISABLE_TIMING

struct EventState {
  unsigned flags = 0;
  long recorded = 0, done = 0;  // how many records were queued and how many have run
  Stream* stream = nullptr;     // where the last record is queued
  std::weak_ptr<Capture> capture;
  double milliseconds = 0;
};

struct Event {
  std::shared_ptr<EventState> state;
};

Stream& null_stream() {
  static auto* stream = new Stream{true, {}, {}};
  return *stream;
}

std::set<Stream*>& streams() {
  static auto* set = new std::set<Stream*>;
  return *set;
}

std::set<Event*>& events() {
  static auto* set = new std::set<Event*>;
  return *set;
}

Event* find_event(void* handle) {
  auto* event = static_cast<Event*>(handle);
  return events().count(event) ? event : nullptr;
}

double now() {
  using namespace std::chrono;
  return duration<double, std::milli>(steady_clock::now().time_since_epoch()).count();
}

void run_first(Stream& stream) {
  Work work = stream.queue.front();
  stream.queue.pop_front();
  if (device_error()) return;  // a failed device does nothing more
  if (int status = work->run(work->argument)) set_device_error(status);
}

void wait_for(const std::shared_ptr<EventState>& event, long record) {
  while (event->done < record && event->stream && !event->stream->queue.empty()) {
    run_first(*event->stream);
    if (device_error()) return;
  }
}

// The null stream and blocking streams wait for each other.
void order_with_null_stream(Stream& stream) {
  if (&stream == &null_stream()) {
    for (Stream* other : streams()) {
      if (other->blocking && !other->capture) finish(*other);
    }
  } else if (stream.blocking) {
    finish(null_stream());
  }
}

int record(Event& event, Stream& stream) {
  std::shared_ptr<EventState> state = event.state;
  if (stream.capture) {
    state->capture = stream.capture;
    stream.capture->graph->nodes.push_back(work_of("event record", [] { return SUCCESS; }));
    return SUCCESS;
  }
  state->capture.reset();
  state->stream = &stream;
  long number = ++state->recorded;
  return submit(stream, work_of("event record", [state, number] {
                  state->done = number;
                  state->milliseconds = now();
                  return SUCCESS;
                }));
}

}  // namespace

Stream* find_stream(void* handle) {
  // 1 and 2 are CU_STREAM_LEGACY and CU_STREAM_PER_THREAD
  if (handle == nullptr || handle == reinterpret_cast<void*>(1)) return &null_stream();
  auto* stream = static_cast<Stream*>(handle);
  return streams().count(stream) ? stream : nullptr;
}

void finish(Stream& stream) {
  while (!stream.queue.empty()) run_first(stream);
}

void finish_all() {
  finish(null_stream());
  for (Stream* stream : streams()) finish(*stream);
}

int submit(Stream& stream, Work work) {
  if (stream.capture) {
    if (stream.capture->invalid) return STREAM_CAPTURE_INVALIDATED;
    stream.capture->graph->nodes.push_back(std::move(work));
    return SUCCESS;
  }
  order_with_null_stream(stream);
  stream.queue.push_back(std::move(work));
  if (!settings().late) {
    finish(stream);
  } else if (stream.queue.size() > longest_queue) {
    run_first(stream);
  }
  return SUCCESS;
}

int forbidden_by_capture() {
  int status = SUCCESS;
  for (Stream* stream : streams()) {
    if (stream->capture && stream->capture->mode != 2) {  // not CU_STREAM_CAPTURE_MODE_RELAXED
      stream->capture->invalid = true;
      status = STREAM_CAPTURE_UNSUPPORTED;
    }
  }
  return status;
}

void destroy_streams() {
  for (Stream* stream : streams()) delete stream;
  streams().clear();
  for (Event* event : events()) delete event;
  events().clear();
  null_stream().queue.clear();
}

}  // namespace emulation

using namespace emulation;

EXPORTED int emu_enqueue(void* handle, const char* name, int (*operation)(void*), void* argument,
                         void (*destroy)(void*)) {
  auto work = std::make_shared<Operation>(name, operation, argument, destroy);
  Stream* stream = find_stream(handle);
  return stream ? submit(*stream, std::move(work)) : INVALID_HANDLE;
}

EXPORTED int cuStreamCreate(void** handle, unsigned flags) {
  CALL();
  if (flags > non_blocking) return INVALID_VALUE;
  auto* stream = new Stream{(flags & non_blocking) == 0, {}, {}};
  streams().insert(stream);
  emu_count("stream", 1);
  *handle = stream;
  return SUCCESS;
}

EXPORTED int cuStreamCreateWithPriority(void** handle, unsigned flags, int) {
  return cuStreamCreate(handle, flags);
}

EXPORTED int cuStreamDestroy_v2(void* handle) {
  RELEASE();
  auto* stream = static_cast<Stream*>(handle);
  if (!streams().count(stream)) return INVALID_HANDLE;
  finish(*stream);
  streams().erase(stream);
  for (Event* event : events()) {
    if (event->state->stream == stream) event->state->stream = nullptr;
  }
  delete stream;
  emu_count("stream", -1);
  return call.status;
}

EXPORTED int cuStreamSynchronize(void* handle) {
  CALL();
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  if (stream->capture) {
    stream->capture->invalid = true;
    return STREAM_CAPTURE_UNSUPPORTED;
  }
  order_with_null_stream(*stream);
  finish(*stream);
  return device_error();
}

EXPORTED int cuStreamQuery(void* handle) {
  CALL();
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  if (stream->queue.empty()) return SUCCESS;
  run_first(*stream);  // so that polling makes progress
  return device_error() ? device_error() : NOT_READY;
}

EXPORTED int cuCtxSynchronize() {
  CALL();
  if (int status = forbidden_by_capture()) return status;
  finish_all();
  return device_error();
}

EXPORTED int cuEventCreate(void** handle, unsigned flags) {
  CALL();
  auto* event = new Event{std::make_shared<EventState>()};
  event->state->flags = flags;
  events().insert(event);
  emu_count("event", 1);
  *handle = event;
  return SUCCESS;
}

EXPORTED int cuEventDestroy_v2(void* handle) {
  RELEASE();
  Event* event = find_event(handle);
  if (!event) return INVALID_HANDLE;
  events().erase(event);
  delete event;
  emu_count("event", -1);
  return call.status;
}

EXPORTED int cuEventRecord(void* handle, void* stream_handle) {
  CALL();
  Event* event = find_event(handle);
  Stream* stream = find_stream(stream_handle);
  return event && stream ? record(*event, *stream) : INVALID_HANDLE;
}

EXPORTED int cuEventSynchronize(void* handle) {
  CALL();
  Event* event = find_event(handle);
  if (!event) return INVALID_HANDLE;
  if (event->state->capture.lock()) return CAPTURED_EVENT;
  wait_for(event->state, event->state->recorded);
  return device_error();
}

EXPORTED int cuEventQuery(void* handle) {
  CALL();
  Event* event = find_event(handle);
  if (!event) return INVALID_HANDLE;
  EventState& state = *event->state;
  if (state.capture.lock()) return CAPTURED_EVENT;
  if (state.done >= state.recorded) return SUCCESS;
  if (state.stream && !state.stream->queue.empty()) run_first(*state.stream);
  return device_error() ? device_error() : NOT_READY;
}

EXPORTED int cuEventElapsedTime_v2(float* milliseconds, void* start, void* end) {
  CALL();
  Event* from = find_event(start);
  Event* to = find_event(end);
  if (!from || !to || !from->state->recorded || !to->state->recorded) return INVALID_HANDLE;
  if ((from->state->flags | to->state->flags) & disable_timing) return INVALID_HANDLE;
  for (Event* event : {from, to}) {
    if (event->state->done < event->state->recorded) return NOT_READY;
  }
  *milliseconds = static_cast<float>(to->state->milliseconds - from->state->milliseconds);
  return SUCCESS;
}

// Waiting for an event of a capture makes the waiting stream part of the capture.
EXPORTED int cuStreamWaitEvent(void* stream_handle, void* event_handle, unsigned) {
  CALL();
  Event* event = find_event(event_handle);
  Stream* stream = find_stream(stream_handle);
  if (!event || !stream) return INVALID_HANDLE;
  std::shared_ptr<EventState> state = event->state;
  if (auto capture = state->capture.lock()) {
    if (stream->capture && stream->capture != capture) return STREAM_CAPTURE_ISOLATION;
    stream->capture = capture;
    return SUCCESS;
  }
  if (stream->capture) return STREAM_CAPTURE_ISOLATION;
  long number = state->recorded;
  if (state->done >= number) return SUCCESS;
  return submit(*stream, work_of("wait for event", [state, number] {
                  wait_for(state, number);
                  return SUCCESS;
                }));
}

EXPORTED int cuStreamBeginCapture_v2(void* handle, int mode) {
  CALL();
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  if (handle == nullptr) return STREAM_CAPTURE_UNSUPPORTED;
  if (stream->capture) return INVALID_VALUE;
  stream->capture = std::make_shared<Capture>(Capture{new Graph, handle, mode});
  return SUCCESS;
}

EXPORTED int cuStreamEndCapture(void* handle, void** graph) {
  RELEASE();
  *graph = nullptr;
  Stream* stream = find_stream(handle);
  if (!stream || !stream->capture) return stream ? INVALID_VALUE : INVALID_HANDLE;
  std::shared_ptr<Capture> capture = stream->capture;
  if (capture->origin != handle) return INVALID_VALUE;
  for (Stream* each : streams()) {
    if (each->capture == capture) each->capture.reset();
  }
  int status = call.status ? call.status : capture->invalid ? STREAM_CAPTURE_INVALIDATED : SUCCESS;
  if (status) {
    delete capture->graph;
    return status;
  }
  emu_count("graph", 1);
  *graph = capture->graph;
  return SUCCESS;
}

EXPORTED int cuStreamIsCapturing(void* handle, int* status) {
  CALL();
  Stream* stream = find_stream(handle);
  if (!stream) return INVALID_HANDLE;
  *status = !stream->capture ? 0 : stream->capture->invalid ? 2 : 1;
  return SUCCESS;
}
