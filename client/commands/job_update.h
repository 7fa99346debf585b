#ifndef BERTH_CLIENT_COMMANDS_JOB_UPDATE_H_
#define BERTH_CLIENT_COMMANDS_JOB_UPDATE_H_

// A change of a job that waits, as `berth update` makes it and `berth explain --what-if` tries it.

#include <array>

#include "absl/status/statusor.h"

#include "client/option.h"
#include "proto/client_api.pb.h"

namespace berth {

inline constexpr std::array kUpdateOptions = std::to_array<Option>({
    Value("name", "NAME", "what the job is called", 'n'),
    Value("nodes", "N", "nodes at the same time", 'N'),
    Value("devices", "N", "devices on each node", 'd'),
    WithAlias(Value("class", "A|B", "device classes, the best first"), "model"),
    Value("time", "TIME", "the time limit; a running job's may only become shorter", 't'),
    Value("priority", "N", "before others of your tenant, -1000 to 1000"),
    Flag("no-borrow", "start only on devices that your tenant owns"),
    Flag("borrow", "start on idle devices of others, too"),
});

// Without the job's id. A usage error if nothing is to change.
absl::StatusOr<v1::UpdateJobRequest> MakeUpdate(const Arguments& arguments);

}  // namespace berth

#endif  // BERTH_CLIENT_COMMANDS_JOB_UPDATE_H_
