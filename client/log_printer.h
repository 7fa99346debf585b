#ifndef BERTH_CLIENT_LOG_PRINTER_H_
#define BERTH_CLIENT_LOG_PRINTER_H_

// Lines of logs on standard output: for people, or one JSON object each.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "client/console.h"
#include "client/log_collapse.h"
#include "client/output.h"

namespace berth {

// Owned by a command; used from its thread.
class LogPrinter {
 public:
  // `with_ranks`: for people, each line begins with who wrote it; `ranks` may turn up. `is_raw`: as
  // the job wrote it, at a terminal, too.
  LogPrinter(Console& console, OutputKind kind, bool with_ranks, bool is_raw,
             const std::vector<int32_t>& ranks);

  // What stands before the first and behind the last line.
  void Begin();
  void End();
  void Print(const LogGroup& group);

 private:
  std::string PrefixOf(const std::vector<int32_t>& ranks) const;

  Console& console_;
  const OutputKind kind_;
  const bool with_ranks_;
  const bool is_raw_;
  const size_t prefix_cells_;
  bool any_ = false;
};

}  // namespace berth

#endif  // BERTH_CLIENT_LOG_PRINTER_H_
