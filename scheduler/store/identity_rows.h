#ifndef BERTH_SCHEDULER_STORE_IDENTITY_ROWS_H_
#define BERTH_SCHEDULER_STORE_IDENTITY_ROWS_H_

// Rows of the center's nouns: classes, tenants, projects, quotas and their edits, users,
// tokens.

#include "absl/status/status.h"

#include "scheduler/core/changes.h"
#include "scheduler/store/database.h"

namespace berth {

// Writes classes, tenants, projects, users, quotas and their edits. Tokens wait for their nodes:
// SaveTokens.
absl::Status SaveIdentities(Database& database, const Changes& changes);
absl::Status SaveTokens(Database& database, const std::vector<Token>& tokens);

// Fills the same lists, each by id.
absl::Status LoadIdentities(Database& database, Changes& nouns);

}  // namespace berth

#endif  // BERTH_SCHEDULER_STORE_IDENTITY_ROWS_H_
