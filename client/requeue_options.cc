#include "client/requeue_options.h"

#include <algorithm>
#include <string>
#include <vector>

#include "common/status_macros.h"

namespace berth {
namespace {

constexpr int kRequeuesDefault = 5;
constexpr int kRequeuesMax = 1000;

absl::Status ReadCauses(const OptionValue& list, v1::RequeuePolicy& policy) {
  if (list.text == "none") {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> causes, ListOf(list));
  for (const std::string& cause : causes) {
    if (cause == "node-fault") {
      policy.set_on_node_fault(true);
    } else if (cause == "preempt") {
      policy.set_on_preempt(true);
    } else if (cause == "error") {
      policy.set_on_error(true);
    } else if (cause == "none") {
      return ValueError(list, "none stands alone");
    } else {
      return UnknownWord(list, cause, {"node-fault", "preempt", "error", "none"});
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ReadRequeue(const Arguments& arguments, v1::JobSpec& spec) {
  const bool is_new = !spec.has_requeue();
  v1::RequeuePolicy& policy = *spec.mutable_requeue();
  if (is_new) {
    policy.set_on_node_fault(true);
    policy.set_on_preempt(true);
    policy.set_max_requeues(kRequeuesDefault);
  }
  if (const OptionValue* const list = arguments.Find("requeue"); list != nullptr) {
    policy.clear_on_node_fault();
    policy.clear_on_preempt();
    policy.clear_on_error();
    RETURN_IF_ERROR(ReadCauses(*list, policy));
  }
  if (const OptionValue* const value = arguments.Find("max-requeues"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t max_requeues, IntegerOf(*value, 0, kRequeuesMax));
    policy.set_max_requeues(static_cast<int32_t>(max_requeues));
  }
  for (const OptionValue* value : arguments.All("requeue-exit")) {
    ASSIGN_OR_RETURN(const int64_t code, IntegerOf(*value, 1, 255));
    const auto& known = policy.exit_codes();
    if (std::find(known.begin(), known.end(), code) == known.end()) {
      policy.add_exit_codes(static_cast<int32_t>(code));
    }
  }
  return absl::OkStatus();
}

}  // namespace berth
