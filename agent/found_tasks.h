#ifndef BERTH_AGENT_FOUND_TASKS_H_
#define BERTH_AGENT_FOUND_TASKS_H_

// Every task's file says what the journal says of the task, so that an agent whose journal is
// lost finds its tasks all the same. Not forced to disk: after a reboot no task is left to be
// found.

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

#include "agent/core/journal_record.h"

namespace berth {

// As TaskFile::agent_record.
std::string EncodeFoundTask(const JournaledTask& task);

// Of all folders below `data_dir` whose task is not acknowledged; what cannot be read is left out.
std::vector<JournaledTask> FindTasks(absl::string_view data_dir);

}  // namespace berth

#endif  // BERTH_AGENT_FOUND_TASKS_H_
