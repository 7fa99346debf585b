#ifndef BERTH_AGENT_SHIM_TASK_INPUT_H_
#define BERTH_AGENT_SHIM_TASK_INPUT_H_

// The standard input of a task's first rank, where it has one: a pipe, of which the shim keeps the
// end for writing, so that whoever writes may come and go. It gives a copy of that end to each who
// connects to a socket in the task's folder, as only the agent can. Owned by the TaskShim; one
// thread. Plain C++ without libraries.

#include "agent/shim/shim_protocol.h"
#include "agent/shim/task_init.h"

namespace berth {

class TaskInput {
 public:
  TaskInput() = default;
  TaskInput(const TaskInput&) = delete;
  TaskInput& operator=(const TaskInput&) = delete;
  ~TaskInput();

  // Makes it, if the task has one. False: errno says why.
  bool Open(const TaskFile& task);
  // Both ends; -1: there is none.
  InputPipe pipe() const { return pipe_; }
  // The init has its end: whoever writes learns from now on when nobody in the task reads any more.
  void CloseReader();
  // Readable when somebody wants the end for writing; -1: nobody can.
  int listener() const { return listener_; }
  void Give() const;
  // The task reads what was written, and then the end. Nobody gets the end for writing any more.
  void End();

 private:
  InputPipe pipe_;
  int listener_ = -1;
};

}  // namespace berth

#endif  // BERTH_AGENT_SHIM_TASK_INPUT_H_
