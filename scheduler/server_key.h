#ifndef BERTH_SCHEDULER_SERVER_KEY_H_
#define BERTH_SCHEDULER_SERVER_KEY_H_

// The secret that the tokens of jobs follow from. It is kept beside the database, not in it: no
// backup has it, and a center that goes on elsewhere makes another one.

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "common/credentials.h"

namespace berth {

// From its file in the data folder, which is made if there is none. It has a token's form, which
// shows whether it is whole, and is nobody's token.
absl::StatusOr<Secret> LoadServerKey(absl::string_view data_dir);

}  // namespace berth

#endif  // BERTH_SCHEDULER_SERVER_KEY_H_
