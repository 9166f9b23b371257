// The device's one context and what lives in it.
#pragma once

namespace emulation {

bool driver_initialised();
bool has_current_context();

// An error of the device stays as long as the process: every call returns it.
int device_error();
void set_device_error(int status);

// Objects of the context, destroyed with it.
void destroy_allocations();
void destroy_streams();
void destroy_modules();

}  // namespace emulation
