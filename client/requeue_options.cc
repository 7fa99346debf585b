#include "client/requeue_options.h"

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

absl::StatusOr<v1::RequeuePolicy> ReadRequeue(const Arguments& arguments) {
  v1::RequeuePolicy policy;
  const OptionValue* const list = arguments.Find("requeue");
  policy.set_on_node_fault(list == nullptr);
  policy.set_on_preempt(list == nullptr);
  if (list != nullptr) {
    RETURN_IF_ERROR(ReadCauses(*list, policy));
  }
  policy.set_max_requeues(kRequeuesDefault);
  if (const OptionValue* const value = arguments.Find("max-requeues"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t max_requeues, IntegerOf(*value, 0, kRequeuesMax));
    policy.set_max_requeues(static_cast<int32_t>(max_requeues));
  }
  for (const OptionValue* value : arguments.All("requeue-exit")) {
    ASSIGN_OR_RETURN(const int64_t code, IntegerOf(*value, 1, 255));
    policy.add_exit_codes(static_cast<int32_t>(code));
  }
  return policy;
}

}  // namespace berth
