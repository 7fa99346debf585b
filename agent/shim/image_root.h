#ifndef BERTH_AGENT_SHIM_IMAGE_ROOT_H_
#define BERTH_AGENT_SHIM_IMAGE_ROOT_H_

// A root of the task's own: an image that stays as it is, with what the task writes in its folder.
// Plain C++ without libraries; part of MakePrivateMounts and with its conventions.

#include <string>

#include "agent/shim/shim_protocol.h"

namespace berth {

// From then on the image is "/", and the host's files are where HostPath says. Whatever links the
// image holds lead nowhere outside.
const char* EnterImage(const Sandbox& sandbox);
// Where a file of the host is now.
std::string HostPath(const Sandbox& sandbox, const std::string& path);
// Shows the sandbox's image_mounts; then the host's files are gone for good.
const char* LeaveHost(const Sandbox& sandbox);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_IMAGE_ROOT_H_
