#ifndef BERTH_AGENT_EXECUTOR_TASK_FOLDER_H_
#define BERTH_AGENT_EXECUTOR_TASK_FOLDER_H_

// The files of tasks on a node: DATA_DIR/jobs/JOB/ATTEMPT/..., and DATA_DIR/jobs/JOB/output, which
// all attempts of a job share.

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "common/descriptor.h"

namespace berth {

// In the folder of an attempt.
inline constexpr char kTokenFileName[] = "token";

// Who owns what a task may write; -1: the agent's own user.
struct TaskOwner {
  int64_t user_id = -1;
  int64_t group_id = -1;
};

class TaskFolder {
 public:
  static std::string PathOf(absl::string_view data_dir, uint64_t job, int attempt);
  // In the folder of an attempt.
  static std::string LogPathIn(absl::string_view folder, int rank);
  static std::string LogPathOf(absl::string_view data_dir, uint64_t job, int attempt, int rank);

  // Makes the folder and its parts; what is there already is kept.
  static absl::StatusOr<TaskFolder> Make(absl::string_view data_dir, uint64_t job, int attempt,
                                         const TaskOwner& owner);
  static absl::StatusOr<TaskFolder> Open(absl::string_view data_dir, uint64_t job, int attempt);

  TaskFolder(TaskFolder&& other) noexcept;
  TaskFolder& operator=(TaskFolder&& other) noexcept;
  ~TaskFolder();

  int descriptor() const { return descriptor_; }
  const std::string& path() const { return path_; }
  std::string work() const { return path_ + "/work"; }
  std::string scratch() const { return path_ + "/tmp"; }
  std::string stop_file() const { return path_ + "/stop"; }
  std::string host_file() const { return path_ + "/hosts"; }
  std::string script() const { return path_ + "/script"; }
  const std::string& output() const { return output_; }
  // What the task may write: folders of this job and attempt alone.
  std::vector<std::string> task_owned() const;

  // The work folder, which is empty, for an uploaded folder: it is removed by Drop.
  absl::StatusOr<Descriptor> OpenForUpload() const;

  // The job's own token, for the task's user alone.
  absl::Status WriteToken(absl::string_view token, const TaskOwner& owner) const;
  bool HasToken() const;

  // Not forced to disk.
  absl::Status WriteFile(const char* name, absl::string_view content, int mode) const;
  // Removes what the shim and the agent told each other, the scratch space, and the copy of an
  // uploaded folder; logs and any other work stay.
  void Drop() const;

 private:
  TaskFolder(int descriptor, std::string path, std::string output);
  int descriptor_;
  std::string path_;
  std::string output_;
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_TASK_FOLDER_H_
