#ifndef BERTH_AGENT_LOG_READER_H_
#define BERTH_AGENT_LOG_READER_H_

// Reads one rank's log from an offset or its last lines, and knows whether more may come.

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "proto/agent_api.pb.h"

namespace berth {

class LogReader {
 public:
  static absl::StatusOr<LogReader> Open(absl::string_view data_dir, const v1::OpenLog& request);
  LogReader(LogReader&& other) noexcept;
  LogReader& operator=(LogReader&& other) noexcept;
  ~LogReader();

  // At most 64 KiB from offset(); empty at the present end.
  std::string ReadNext();
  int64_t offset() const { return offset_; }
  // The task may still write.
  bool MayGrow() const;

 private:
  LogReader(int file, std::string task_folder, int64_t offset)
      : file_(file), task_folder_(std::move(task_folder)), offset_(offset) {}
  int file_;
  std::string task_folder_;
  int64_t offset_;
};

}  // namespace berth

#endif  // BERTH_AGENT_LOG_READER_H_
