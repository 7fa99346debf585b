#ifndef BERTH_AGENT_EXECUTOR_SHIM_STARTER_H_
#define BERTH_AGENT_EXECUTOR_SHIM_STARTER_H_

// Has shims forked by a template (shim/shim_template.h), which it starts, and starts again when
// that has died. Owned by the TaskLauncher; the loop's thread only.

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "agent/executor/shim_process.h"
#include <sys/types.h>

namespace berth {

class ShimStarter {
 public:
  // `drop_capabilities`: nothing that runs under the shims can get any.
  ShimStarter(std::string shim_path, bool drop_capabilities)
      : shim_path_(std::move(shim_path)), drop_capabilities_(drop_capabilities) {}
  ShimStarter(const ShimStarter&) = delete;
  ShimStarter& operator=(const ShimStarter&) = delete;
  // Ends the template; shims go on.
  ~ShimStarter();

  // Starts the template, if there is none. Start does so, too: this is for who wants to know early.
  absl::Status StartTemplate();
  // A shim for the task described in `folder`. An error: there is none. If the template dies over
  // it, there may be one or none: the conversation is closed then, or the shim speaks; once dead it
  // is taken away by a later call.
  absl::StatusOr<ShimProcess> Start(const std::string& folder);

  // -1: there is none.
  pid_t template_pid() const { return template_; }

 private:
  absl::Status SendOrder(const std::string& folder, int conversation);
  void EndTemplate();
  // Takes away dead children that nobody else can, for their pids are not known. Of the others that
  // it finds, it only comes before who waits for them.
  void ReapOrphans();

  const std::string shim_path_;
  const bool drop_capabilities_;
  int socket_ = -1;
  pid_t template_ = -1;
  // Process groups of templates that died over an order, with the shims that they had forked: one
  // of these may be a child whose pid nobody was told.
  std::vector<pid_t> orphaned_;
};

}  // namespace berth

#endif  // BERTH_AGENT_EXECUTOR_SHIM_STARTER_H_
