#ifndef BERTH_AGENT_SHIM_SHIM_TEMPLATE_H_
#define BERTH_AGENT_SHIM_SHIM_TEMPLATE_H_

// `berth-shim --template RIGHTS ROOM`: a process that does nothing but fork, once per task: the
// copy is the task's shim. A program that is executed costs several times as much: the kernel maps
// it anew, and the C library asks the processor for its features, each of which a virtual machine
// answers by a trap. The template never reads anything of a task, so a copy holds nothing of
// another's. The copies are the agent's children, and none of them needs the template once it is
// there. One thread. Plain C++ without libraries.

#include <cstddef>
#include <cstdint>

#include <sys/types.h>

namespace berth {

inline constexpr char kTemplateWord[] = "--template";
// RIGHTS: whether programs that are executed under a shim may get capabilities. Taken away here, it
// need not be taken from every task; for the kernel takes one at a time.
inline constexpr char kKeepRights[] = "keep";
inline constexpr char kDropRights[] = "drop";
// The descriptor of the template's end of its conversation with the agent, a SOCK_SEQPACKET socket.
// It ends with that.
inline constexpr int kTemplateDescriptor = 3;

// From the agent, one packet each: the path of a task's folder, with the shim's end of a
// conversation (shim_protocol.h) as SCM_RIGHTS. The answer:
struct TemplateReply {
  int32_t pid = -1;  // of the shim, a child of the agent's; -1: there is none
  int32_t error = 0;
};

// The bytes of the process's own command line behind the program's name. A shim shows its folder
// there, for who looks for it.
struct ShownWords {
  char* begin = nullptr;
  size_t size = 0;  // with the last word's end
};

// Returns the template's exit code. A shim does not return.
int ServeTemplate(ShownWords words);

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_SHIM_TEMPLATE_H_
