#include "client/commands/job_update.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/match.h"

#include "client/spec_options.h"
#include "common/status_macros.h"

namespace berth {
namespace {

absl::Status ReadShape(const Arguments& arguments, v1::UpdateJobRequest& request) {
  if (const OptionValue* const value = arguments.Find("nodes"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t nodes, IntegerOf(*value, 1, kJobNodesMax));
    request.set_nodes(static_cast<int32_t>(nodes));
  }
  if (const OptionValue* const value = arguments.Find("devices"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t devices, IntegerOf(*value, 0, kJobDevicesMax));
    request.set_devices_per_node(static_cast<int32_t>(devices));
  }
  if (const OptionValue* const value = arguments.Find("class"); value != nullptr) {
    const char separator = absl::StrContains(value->text, '|') ? '|' : ',';
    ASSIGN_OR_RETURN(const std::vector<std::string> classes, ListOf(*value, separator));
    request.mutable_device_classes()->Assign(classes.begin(), classes.end());
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::UpdateJobRequest> MakeUpdate(const Arguments& arguments) {
  v1::UpdateJobRequest request;
  RETURN_IF_ERROR(ReadShape(arguments, request));
  if (const OptionValue* const value = arguments.Find("name"); value != nullptr) {
    if (value->text.empty()) {
      return ValueError(*value, "must not be empty");
    }
    request.set_name(value->text);
  }
  if (const OptionValue* const value = arguments.Find("time"); value != nullptr) {
    ASSIGN_OR_RETURN(const absl::Duration limit, DurationOf(*value));
    request.set_time_limit_ms(std::max<int64_t>(absl::ToInt64Milliseconds(limit), 1));
  }
  if (const OptionValue* const value = arguments.Find("priority"); value != nullptr) {
    ASSIGN_OR_RETURN(const int64_t priority, IntegerOf(*value, -kJobPriorityMax, kJobPriorityMax));
    request.set_priority(static_cast<int32_t>(priority));
  }
  if (arguments.Has("no-borrow") && arguments.Has("borrow")) {
    return ErrorAt({}, "--borrow and --no-borrow exclude each other");
  }
  if (arguments.Has("no-borrow") || arguments.Has("borrow")) {
    request.set_no_borrow(arguments.Has("no-borrow"));
  }
  if (request.ByteSizeLong() == 0) {
    return ErrorAt({}, "name what is to change, e.g. --nodes 3", "berth update --help");
  }
  return request;
}

}  // namespace berth
